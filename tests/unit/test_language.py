# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages, option descriptions and documentation are in plain English: phrases that are hard to read do not return."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A phrase, and what to write instead. Each was in a message or description once.
PHRASES = [
    (r"\b(is|are|was|were) told\b(?! apart)", "is reported; is derived from"),
    (r"\btold by\b", "is taken from"),
    (r"\btakes? no more\b", "throttles; accepts no further"),
    (r"\b(lets?|has let|have let) go\b", "closes; releases"),
    (r"\b(goes|go|went) away\b", "is removed; disconnects"),
    (r"\bwhoever\b", "any user who; the process that"),
    (r"\bwhat (is|was|they|it|there) \w+ is\b", "name the thing"),
    (r"\bthere is (no|none) [^.,;:]{0,60}\bthere\b", "does not exist"),
    (r"\b(is|are|was|were) not there\b(?! yet)", "does not exist; is missing"),
    (r"\b(is|are) there already\b", "already exists"),
    (r"\bis there twice\b", "occurs twice"),
    (r"\bpoints? nowhere\b", "has a dangling reference"),
    (r"\bholds? up nobody\b|\bholds? nobody up\b", "does not delay others"),
    (r"(?<!are )\ball the same\b", "anyway; nevertheless"),
    (r"(?<!do not )\bexclude each other\b", "are mutually exclusive"),
    (r"\bnot touched\b", "was not changed"),
    (r"\bMove (it|the \w+) away\b", "move it elsewhere"),
    (r"\bis no (file|directory|list|mapping|text|number|JSON|log|regular)\b", "is not a"),
    (r"\bof its own\b.*\bof its own\b", "say it once"),
    (r"\bgive (it|this) (longer|more time)\b", "increase the timeout"),
    (r"\bwas left without\b", "a leftover without"),
    (r"\b[Rr]oom (is|for|of)\b", "free space"),
    (r"\bMend\b", "correct; repair"),
    (r"\bstays? behind\b", "is not migrated"),
    (r"\bevery option\b.*\btells\b|\btells every\b", "documents every"),
    (r"\bNeeded, except\b", "required unless"),
    (r"\bgo(es)? together\b", "must be set together; contradict each other"),
    (r"\bWhich of\b[^?]*\bwants\b", "matches"),
]


def _strings(path: Path) -> Iterator[tuple[int, str]]:
    """Each text that a user may see: literals with spaces, without docstrings."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            for number, line in enumerate(node.value.splitlines()):
                if " " in line.strip():
                    yield node.lineno + number, line


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    return iter(enumerate(path.read_text().splitlines(), 1))


def _files() -> list[Path]:
    wanted = ("plugins/*.py", "docs/*.md", "*.md", "roles/*.md", "roles/*.yml", "playbooks/*.yml", "dev/options/*.yml")
    listed = subprocess.run(["git", "ls-files", *wanted], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / one for one in listed.stdout.split() if (ROOT / one).exists()]


@pytest.mark.parametrize(("pattern", "better"), PHRASES, ids=[better for _pattern, better in PHRASES])
def test_no_phrase_that_is_hard_to_read(pattern: str, better: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path, texts in TEXTS.items()
        for number, line in texts
        if re.search(pattern, line)
    ]
    assert not found, f"write: {better}\n" + "\n".join(found)


def test_the_phrases_are_found() -> None:
    """The test can fail: each pattern finds an example of what it stands for."""
    example = (
        "The key is there twice and points nowhere; its log is told by a file that takes no more and goes away, "
        "whoever lets go. Mend it all the same, as they exclude each other and go together. Room for it stays behind."
    )
    assert sum(bool(re.search(pattern, example)) for pattern, _better in PHRASES) >= 10


TEXTS = {path: list(_strings(path) if path.suffix == ".py" else _lines(path)) for path in _files()}
