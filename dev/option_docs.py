# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doc fragments of options that several modules share.

Types, choices, defaults and what is required come from the argument specs of the verbs, descriptions from
dev/options/NAME.yml for plugins/doc_fragments/NAME.py. `make docs` writes them; a unit test tells when they are old.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
TEXTS = ROOT / "dev" / "options"
FRAGMENTS = ROOT / "plugins" / "doc_fragments"
VERBS = "ansible_collections.day2.ops.plugins.module_utils._verbs."
WIDTH = 120
HEAD = '''# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""{title}

Written by "make docs" from dev/options/{name}.yml and the argument specs: ansible-test requires literal text.
"""

from __future__ import annotations


class ModuleDocFragment:
'''


def names() -> list[str]:
    """Of the fragments' files, without suffix."""
    return sorted(path.stem for path in TEXTS.glob("*.yml"))


def shared_texts() -> dict[str, Any]:
    """The descriptions of all options of modules, by name."""
    sources = [yaml.safe_load((TEXTS / f"{name}.yml").read_text(encoding="utf-8")) for name in names()]
    fragments = [fragment for source in sources for fragment in source["fragments"].values()]
    return {option: text for fragment in fragments for option, text in fragment["options"].items()}


def fragment_file(name: str) -> str:
    """The text of plugins/doc_fragments/NAME.py. Raises ValueError for an option without description, or too many."""
    source = yaml.safe_load((TEXTS / f"{name}.yml").read_text(encoding="utf-8"))
    parts = []
    for fragment, content in source["fragments"].items():
        spec = import_module(VERBS + content["verb"]).ARGUMENTS["argument_spec"]
        unknown = sorted(set(content["options"]) - set(spec))
        if unknown:
            raise ValueError(f"{fragment} in {name}.yml has options that {content['verb']} lacks: {unknown}")
        lines = ["options:"]
        for option, text in content["options"].items():
            lines += _option(option, spec[option], text, "  ", option)
        body = "\n".join(lines)
        parts.append(f'    {fragment} = r"""\n{body}\n"""\n')
    return HEAD.format(title=source["title"], name=name) + "\n".join(parts)


def _option(name: str, spec: Mapping[str, Any], text: Any, indent: str, path: str) -> Iterator[str]:
    """The lines of one option. `text` is its description, or a mapping with that and `suboptions`.

    With `others: true`, suboptions without a text have that of the option of a module with the same name.
    """
    entry = text if isinstance(text, dict) else {"description": text}
    inner = indent + "  "
    yield f"{indent}{name}:"
    # In a description, @ is the option that the suboption belongs to.
    parent = path.rpartition(".")[0]
    yield from _description(entry["description"], inner, parent)
    yield f"{inner}type: {spec.get('type', 'str')}"
    if "elements" in spec:
        yield f"{inner}elements: {spec['elements']}"
    if "choices" in spec:
        yield f"{inner}choices: [{', '.join(map(_scalar, spec['choices']))}]"
    if spec.get("required"):
        yield f"{inner}required: true"
    if spec.get("default") is not None:
        yield f"{inner}default: {_scalar(spec['default'])}"
    suboptions, texts = spec.get("options") or {}, dict(entry.get("suboptions") or {})
    if entry.get("others"):
        known = shared_texts()
        texts = {one: _completed(texts.get(one, known.get(one)), known.get(one)) for one in suboptions}
    if set(suboptions) != set(texts):
        raise ValueError(f"{path}: its suboptions are {sorted(suboptions)}, described are {sorted(texts)}")
    if suboptions:
        yield f"{inner}suboptions:"
        for one, about in texts.items():
            holder = f"{path}[]" if spec.get("type") == "list" else path
            yield from _option(one, suboptions[one], about, inner + "  ", f"{holder}.{one}")


def _completed(own: Any, shared: Any) -> Any:
    """A text that can leave those of its suboptions to the option of a module with the same name."""
    return {**shared, **own} if isinstance(own, dict) and isinstance(shared, dict) else own


def _description(text: Any, indent: str, parent: str) -> Iterator[str]:
    paragraphs = [text] if isinstance(text, str) else text
    written = [_quoted(one.replace("O(@.", f"O({parent}." if parent else "O(")) for one in paragraphs]
    line = f"{indent}description: {written[0]}"
    if len(written) == 1 and len(line) <= WIDTH:
        yield line
        return
    yield f"{indent}description:"
    for one in written:
        wrapper = textwrap.TextWrapper(
            WIDTH, initial_indent=f"{indent}  - ", subsequent_indent=f"{indent}    ", break_on_hyphens=False
        )
        wrapper.break_long_words = False
        yield from wrapper.wrap(one)


def _quoted(text: str) -> str:
    """A plain scalar where YAML takes it for that; else in quotes."""
    text = " ".join(text.split())
    try:
        plain = yaml.safe_load(f"- {text}") == [text]
    except yaml.YAMLError:
        plain = False
    return text if plain else "'" + text.replace("'", "''") + "'"


def _scalar(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).partition("\n")[0]


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / ".cache" / "collections"))
    for name in names():
        (FRAGMENTS / f"{name}.py").write_text(fragment_file(name), encoding="utf-8")
