# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks in the documentation, and in the examples of modules, have options that exist, with values that are accepted.

The target `examples` of the integration tests runs those of the modules; nothing runs those that need AWS or systemd.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._core.specs import check
from ansible_collections.day2.ops.plugins.module_utils._stores.registry import open_store
from ansible_collections.day2.ops.plugins.module_utils._verbs.registry import VERBS, find_verb

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md", *ROOT.glob("roles/*/README.md")])
MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))
FENCED = re.compile(r"^```ya?ml\n(.*?)^```", re.MULTILINE | re.DOTALL)
STORES = ("source", "target")


def without_templates(value: Any) -> Any:
    """Without what only a play knows."""
    if isinstance(value, dict):
        return {key: without_templates(one) for key, one in value.items() if not is_template(one)}
    return [without_templates(one) for one in value if not is_template(one)] if isinstance(value, list) else value


def is_template(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value


def tasks_in(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The modules of this collection that are called somewhere in a document, and their arguments."""
    if isinstance(value, list):
        for one in value:
            yield from tasks_in(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if str(key).startswith("day2.ops.") and isinstance(one, dict):
                yield str(key)[len("day2.ops.") :], one
            else:
                yield from tasks_in(one)


def problem_of(module: str, given: Mapping[str, Any]) -> str:
    """What a task is refused for before it does anything; "" for nothing."""
    if module not in VERBS:
        return ""
    arguments = find_verb(module).ARGUMENTS
    templates = {name for name, one in given.items() if is_template(one)}
    spec = {
        name: {**one, "required": one.get("required", False) and name not in templates}
        for name, one in arguments["argument_spec"].items()
    }
    relations = {name: one for name, one in arguments.items() if not templates and name != "argument_spec"}
    try:
        checked = check({"argument_spec": spec, **relations}, without_templates(given))
        for place in STORES:
            for one in [checked.get(place), *(checked.get(f"{place}s") or ())]:
                if module in ("backup", "restore") and one:
                    open_store(one)
    except Day2Error as exc:
        return str(exc)
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tasks_of_a_page(page: Path) -> None:
    for block in FENCED.findall(page.read_text(encoding="utf-8")):
        for module, given in tasks_in(yaml.safe_load(block)):
            assert not problem_of(module, given), block


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_examples_of_a_module(module: Path) -> None:
    (text,) = re.findall(r'^EXAMPLES = r?"""\n(.*?)^"""', module.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for name, given in tasks_in(yaml.safe_load(text)):
        assert not problem_of(name, given), given


def command_stores() -> Iterator[tuple[str, dict[str, Any]]]:
    """The stores in docs/COMMANDS.md: a source, and one for each block that adds how it is restored."""
    for section in (ROOT / "docs" / "COMMANDS.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        source: dict[str, Any] = {}
        title, _line, text = section.partition("\n")
        for block in map(yaml.safe_load, FENCED.findall(text)):
            found = dict(tasks_in(block)).get("backup", block)
            if "source" in found:
                source = without_templates(found["source"])
                yield title, source
            else:
                source = {**source, **found}
                yield title, source


@pytest.mark.parametrize(("title", "store"), command_stores())
def test_programs_of_a_page(title: str, store: dict[str, Any]) -> None:
    assert title
    place, module = ("target", "restore") if "restore" in store else ("source", "backup")
    assert not problem_of(module, {"name": "set", "repository": "/backup", place: store})
    for step in ("dump", "fingerprint", "verify", "restore", "swap", "discard"):
        shell, *argv = store.get(step, ["none"])
        if shell == "sh":  # a script that sh can read
            subprocess.run(["sh", "-n", "-c", argv[-1]], check=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"nmae": "set"}, "unknown option: nmae"),
        ({"source": {"type": "dynamodb", "prefix": "a", "swap": ["mv"]}}, "swap is not an option of stores of type"),
        ({"source": {"type": "dynamodb", "method": "s3"}}, "method"),
        ({"source": {"type": "dynamodb", "method": "s3_export"}}, "requires export_to.bucket"),
    ],
)
def test_mistakes_are_found(given: dict[str, Any], message: str) -> None:
    assert message in problem_of("backup", {"name": "set", "repository": "/backup", **given})
