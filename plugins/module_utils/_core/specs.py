# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs, without ansible-core: arguments checked as written, and the secrets among them.

`check` is stricter than AnsibleModule, as a job file is JSON that a program has written: "yes" is not a boolean, and
"1,2,3" is not a list. What ansible-core has validated passes with the same values, if nulls are dropped first, except
true and false as numbers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .errors import InvalidRequest

MASK = "********"

# Everything that is understood here; `unknown` finds a spec that uses more.
_OPTION_KEYS = {"type", "elements", "options", "default", "choices", "required", "no_log"}
_VERB_KEYS = {"argument_spec", "required_if", "mutually_exclusive", "required_one_of", "no_log"}
_TYPES: dict[str, tuple[Any, str]] = {
    "str": ((str,), "a string"),
    "path": ((str,), "a path"),
    "int": ((int,), "an integer"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "list": ((list,), "a list"),
    "dict": ((dict,), "a dictionary"),
    "raw": ((object,), "a value"),
}


def unknown(arguments: Mapping[str, Any]) -> list[str]:
    """What the arguments of a verb use that `check` would ignore; empty for all verbs."""
    found = sorted(set(arguments) - _VERB_KEYS)
    for where, option in _walk(arguments["argument_spec"]):
        found += [f"{where}: {key}" for key in sorted(set(option) - _OPTION_KEYS)]
        types = (option.get("type", "str"), option.get("elements", "raw"))
        found += [f"{where}: {kind}" for kind in types if kind not in _TYPES]
    return found


def _walk(spec: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, option in spec.items():
        yield prefix + name, option
        yield from _walk(option.get("options") or {}, f"{prefix}{name}.")


def check(arguments: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the verb expects them: with defaults, and with `~` and variables expanded in paths.

    Raises InvalidRequest, with all problems in one message, when they do not match the spec.
    """
    problems: list[str] = []
    values = _options(arguments["argument_spec"], given, "", problems)
    problems += _relations(arguments, given, values)
    if problems:
        raise InvalidRequest("; ".join(problems) + ".")
    return values


def _options(spec: Mapping[str, Any], given: Mapping[str, Any], prefix: str, problems: list[str]) -> dict[str, Any]:
    extra = sorted(str(name) for name in given if name not in spec)
    if extra:
        where = f" in {prefix[:-1]}" if prefix else ""
        problems.append(f"unknown option{where}: {', '.join(extra)} (options: {', '.join(sorted(spec))})")
    values = {}
    for name, option in spec.items():
        value = given.get(name)
        if value is None:
            if option.get("required"):
                problems.append(f"{prefix}{name} is required")
            value = option.get("default")
        values[name] = None if value is None else _value(option, value, prefix + name, problems)
    return values


def _value(option: Mapping[str, Any], value: Any, where: str, problems: list[str]) -> Any:
    kind = option.get("type", "str")
    types, words = _TYPES[kind]
    if not isinstance(value, types) or (isinstance(value, bool) and kind in ("int", "float")):
        problems.append(f"{where} is not {words}")
        return value
    for one in value if kind == "list" else [value]:
        if "choices" in option and one not in option["choices"]:
            shown = "" if option.get("no_log") else f" {one!r}"
            problems.append(f"{where} is{shown or ' not valid'}; choices: {', '.join(map(str, option['choices']))}")
    if kind == "path":
        return os.path.expanduser(os.path.expandvars(value))
    if kind == "list" and option.get("elements", "raw") != "raw":
        element = {"type": option["elements"], "options": option.get("options")}
        return [_value(element, one, f"{where}[{number}]", problems) for number, one in enumerate(value)]
    if kind == "dict" and option.get("options"):
        return _options(option["options"], value, f"{where}.", problems)
    return value


def _relations(arguments: Mapping[str, Any], given: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    """Problems in how options depend on each other."""
    for names in arguments.get("mutually_exclusive", ()):
        if len(_set(names, given)) > 1:
            yield f"{' and '.join(_set(names, given))} are mutually exclusive"
    for names in arguments.get("required_one_of", ()):
        if not _set(names, values):
            yield f"one of {', '.join(names)} is required"
    for option, wanted, names, *any_of in arguments.get("required_if", ()):
        missing = [name for name in names if name not in _set(names, values)]
        any_is_enough = bool(any_of and any_of[0])
        if values.get(option) == wanted and missing and not (any_is_enough and len(missing) < len(names)):
            yield f"{option}={wanted} requires {(' or ' if any_is_enough else ' and ').join(missing)}"


def _set(names: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    return [name for name in names if values.get(name) is not None]


def secrets_in(spec: Mapping[str, Any], values: Mapping[str, Any]) -> set[str]:
    """The values of all options with no_log, as texts."""
    return {text for _place, value in secret_options(spec, values) for text in _texts(value)}


def secret_options(spec: Mapping[str, Any], values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each option with no_log that has a value: its place, such as "copy_to.0.s3.secret_access_key", and the value."""
    for name, option in spec.items():
        value = values.get(name)
        if value is None:  # as most of them
            continue
        if option.get("no_log"):
            yield prefix + name, value
        several = isinstance(value, list)
        for number, one in enumerate(value if isinstance(value, list) else [value]):
            if option.get("options") and isinstance(one, Mapping):
                yield from secret_options(
                    option["options"], one, f"{prefix}{name}.{number}." if several else f"{prefix}{name}."
                )


def masked(value: Any, secrets: set[str]) -> Any:
    """The value without the secrets, wherever they are in it; the longest first, as one may contain another."""
    if isinstance(value, str):
        for secret in sorted(filter(None, secrets), key=len, reverse=True):
            value = value.replace(secret, MASK)
        return value
    if isinstance(value, Mapping):
        return {masked(key, secrets): masked(one, secrets) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(one, secrets) for one in value]
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif value not in (None, "") and not isinstance(value, bool):
        yield str(value)
