# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]


def load() -> Any:
    found = importlib.util.spec_from_file_location("option_docs", ROOT / "dev" / "option_docs.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


option_docs = load()


@pytest.mark.parametrize("name", option_docs.names())
def test_fragments_are_what_argument_specs_and_descriptions_say(name: str) -> None:
    path = ROOT / "plugins" / "doc_fragments" / f"{name}.py"
    assert path.read_text(encoding="utf-8") == option_docs.fragment_file(name), "run: make docs"


def test_a_suboption_without_description_is_named() -> None:
    spec = {"type": "dict", "options": {"path": {"type": "path"}, "new": {}}}
    with pytest.raises(ValueError, match=r"source: its suboptions are \['new', 'path'\], described are \['path'\]"):
        list(option_docs._option("source", spec, {"description": "d", "suboptions": {"path": "p"}}, "", "source"))


@pytest.mark.parametrize(
    "description",
    ["plain", "with: colon", "it's: quoted", "V(x) " * 60, ["one", "- two", "O(@.path) [three]"], "#no comment", "yes"],
)
def test_what_is_written_is_read_as_it_was(description: Any) -> None:
    spec = {"type": "list", "elements": "str", "choices": ["a", "no", ""], "default": ["a"], "required": True}
    written = "\n".join(option_docs._option("o", spec, description, "", "source.o"))
    assert all(len(line) <= 120 for line in written.splitlines())
    read = yaml.safe_load(written)["o"]
    texts = read.pop("description")
    wanted = [description] if isinstance(description, str) else description
    wanted = [" ".join(one.replace("O(@.", "O(source.").split()) for one in wanted]
    assert ([texts] if isinstance(texts, str) else texts) == wanted
    assert read == spec
