# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON Schema (2020-12) of job files, generated from the argument specs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._notify.channel import CHANNEL, PING
from .._verbs.registry import find_verb
from .hooks import HOOKS
from .job import SCHEMA

_TYPES = {
    "str": "string",
    "path": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
}


def job_schema(verb: str) -> dict[str, Any]:
    """The schema of the job files of a verb."""
    seconds = {"type": "number", "minimum": 0, "default": 0}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "required": ["schema", "verb", "arguments"],
        "properties": {
            "schema": {"const": SCHEMA},
            "verb": {"const": verb},
            "arguments": arguments_schema(find_verb(verb).ARGUMENTS),
            "secrets": {"type": "object", "additionalProperties": {"type": "string"}},
            "wait": seconds,
            "expected_every": seconds,
            "description": {"type": "string"},
            "ping": arguments_schema(PING),
            "notify": {"type": "array", "items": arguments_schema(CHANNEL)},
            "window": {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]},
            "when_load_below": {"type": "number"},
            "on_ac_power": {"type": "boolean"},
            "timeout": seconds,
            "on_change": seconds,
            "hooks": {
                "type": "object",
                "additionalProperties": False,
                "properties": {name: {"type": "array", "items": {"type": "string"}, "minItems": 1} for name in HOOKS},
            },
        },
    }


def arguments_schema(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of the arguments of a verb. A null is the same as no value, so it is not part of it."""
    made = _options(arguments["argument_spec"])
    rules = list(_rules(arguments))
    return {**made, "allOf": rules} if rules else made


def _rules(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    spec = arguments["argument_spec"]
    for names in arguments.get("mutually_exclusive", ()):
        for number, one in enumerate(names):
            for other in names[number + 1 :]:
                yield {"not": {"required": [one, other]}}
    for names in arguments.get("required_one_of", ()):
        if not any(_has_default(spec, name) for name in names):
            yield {"anyOf": [{"required": [name]} for name in names]}
    for option, value, names, *any_of in arguments.get("required_if", ()):
        needed = [name for name in names if not _has_default(spec, name)]
        condition: dict[str, Any] = {"properties": {option: {"const": value}}}
        if spec[option].get("default") != value:  # without the option, the default applies
            condition["required"] = [option]
        if any_of and any_of[0]:
            if len(needed) == len(names):
                yield {"if": condition, "then": {"anyOf": [{"required": [name]} for name in names]}}
        elif needed:
            yield {"if": condition, "then": {"required": needed}}


def _has_default(spec: Mapping[str, Any], name: str) -> bool:
    return spec[name].get("default") is not None


def _options(spec: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _option(option) for name, option in sorted(spec.items())},
    }
    required = sorted(name for name, option in spec.items() if option.get("required"))
    return {**made, "required": required} if required else made


def _option(option: Mapping[str, Any]) -> dict[str, Any]:
    kind = option.get("type", "str")
    made: dict[str, Any] = {"type": _TYPES[kind]} if kind in _TYPES else {}
    if kind == "dict" and option.get("options"):
        made = _options(option["options"])
    elif kind == "list":
        element = {key: option[key] for key in ("options", "choices") if key in option}
        made["items"] = _option({"type": option.get("elements", "raw"), **element})
    elif "choices" in option:
        made["enum"] = list(option["choices"])
    if option.get("default") is not None:
        made["default"] = option["default"]
    if kind == "path":
        made["x-path"] = True
    if option.get("no_log"):
        made["writeOnly"] = True
    return made
