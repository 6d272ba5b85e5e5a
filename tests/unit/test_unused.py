# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that plugins define, plugins use: what only tests call is code for nobody."""

from __future__ import annotations

import ast
from pathlib import Path

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
# What Ansible, Python and its library call, by name.
CALLED_BY_OTHERS = {
    "ActionModule",
    "FilterModule",
    "LookupModule",
    "filters",
    "TestModule",
    "tests",
    "ModuleDocFragment",
    "DOCUMENTATION",
    "EXAMPLES",
    "RETURN",
}
CALLED_BY_OTHERS |= {"readable", "readinto", "__all__"}  # io.RawIOBase


class Names:
    """What one module defines (functions, classes, methods, names of the module, with lines) and what it uses."""

    def __init__(self, path: Path) -> None:
        self.defined: list[tuple[str, int]] = []
        self.used: set[str] = set()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                self.defined.append((node.name, node.lineno))
            elif isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Load):
                    self.used.add(node.id)
            elif isinstance(node, ast.Attribute):
                self.used.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                self.used.add(node.value)  # for getattr
        for node in tree.body:
            if isinstance(node, ast.Assign):
                self.defined += [(one.id, node.lineno) for one in node.targets if isinstance(one, ast.Name)]
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                self.defined.append((node.target.id, node.lineno))


def test_nothing_is_left_that_nothing_uses() -> None:
    modules = {path: Names(path) for path in sorted(PLUGINS.rglob("*.py"))}
    public = {name for one in modules.values() for name in one.used if not name.startswith("_")}
    left = [
        f"{path.relative_to(PLUGINS)}:{line} {name}"
        for path, module in modules.items()
        for name, line in module.defined
        # a private name is its module's, though others may use one that is called the same
        if name not in module.used and name not in public and name not in CALLED_BY_OTHERS
    ]
    assert [one for one in left if not one.endswith("__")] == []
