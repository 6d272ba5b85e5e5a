# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validates JSON values with the part of JSON Schema (2020-12) that data of applications needs.

A keyword that constrains values and is not implemented is an error, never ignored. `format` and the annotations are
ignored, as the specification allows.
"""

from __future__ import annotations

import contextlib
import functools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Callable, NamedTuple
from urllib.parse import unquote

from .errors import InvalidRequest
from .patterns import HINT, NotAPattern, TooLong, compile_pattern, may_take_long, time_limit
from .records import canonical, exact, is_finite

_ANNOTATIONS = frozenset(
    [
        "$anchor",
        "$comment",
        "$id",
        "$schema",
        "$vocabulary",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "default",
        "deprecated",
        "description",
        "example",
        "examples",
        "format",
        "readOnly",
        "title",
        "writeOnly",
    ]
)
_LONGEST = 5000  # digits of numbers that are divided
_SECONDS = 1.0  # that a text may be compared with a pattern
_DEEPEST = 100  # schemas in schemas, and values in values


class Fault(NamedTuple):
    """What is wrong with a value. `path`: where, as a JSON pointer, "" is the value itself."""

    path: str
    keyword: str
    message: str


Check = Callable[["Schema", Any, Any, Mapping[str, Any], str, int], Iterator[Fault]]


class Schema:
    """A schema, checked.

    :param option: how messages name it.
    :raises InvalidRequest: it is not a schema, or has a keyword that is not implemented.
    """

    def __init__(self, document: Any, option: str = "schema") -> None:
        self._root = document
        self._option = option
        self._checked: set[int] = set()
        self._look(document, "", 0)

    def faults(self, value: Any) -> Iterator[Fault]:
        """Everything that is wrong with a value of JSON: None, booleans, numbers, text, lists, mappings.

        :raises InvalidRequest: a reference leads to itself, the value is too deep, or a pattern takes too long.
        """
        return self._faults(self._root, value, "", 0)

    def _faults(self, schema: Any, value: Any, path: str, depth: int) -> Iterator[Fault]:
        if depth > _DEEPEST:
            raise InvalidRequest(
                f"{self._option}: at {path or 'the record'}, the schema refers to itself, or the data is nested too "
                "deeply."
            )
        if schema is True:
            return
        if schema is False:
            yield Fault(path, "false", "nothing is allowed here")
            return
        for keyword, wanted in schema.items():
            check = _KEYWORDS.get(keyword)
            if check is not None:
                yield from check(self, wanted, value, schema, path, depth + 1)

    def _fits(self, schema: Any, value: Any, path: str, depth: int) -> bool:
        return next(self._faults(schema, value, path, depth), None) is None

    def _look(self, schema: Any, place: str, depth: int) -> None:
        """Check a schema, and those in it."""
        if isinstance(schema, bool) or id(schema) in self._checked:
            return
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            raise self._wrong(place, "is nested too deeply" if depth > _DEEPEST else "is not a schema")
        self._checked.add(id(schema))
        for keyword, value in schema.items():
            here = f"{place}/{keyword}"
            if keyword in _ANNOTATIONS or not isinstance(keyword, str):
                continue
            if keyword not in _SHAPES:
                raise InvalidRequest(
                    f"{self._option}: the keyword {keyword} at {place or '/'} is not implemented.",
                    "Remove it, or set validator=jsonschema, which requires the Python package jsonschema.",
                )
            words = _SHAPES[keyword](value)
            if words:
                raise self._wrong(here, words)
            for name, inner in _inner(keyword, value):
                self._look(inner, f"{here}/{name}" if name else here, depth + 1)
            if keyword == "$ref":
                self._look(self._at(value), value, depth + 1)

    def _at(self, reference: str) -> Any:
        """The schema that a reference of this document leads to."""
        found = self._root
        for escaped in unquote(reference[1:]).split("/")[1:]:
            part = escaped.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and part in found:
                found = found[part]
            elif isinstance(found, (list, tuple)) and part.isdigit() and int(part) < len(found):
                found = found[int(part)]
            else:
                raise InvalidRequest(f"{self._option}: the schema does not contain {reference}.")
        return found

    def _wrong(self, place: str, words: str) -> InvalidRequest:
        return InvalidRequest(f"{self._option}: {place or 'it'} {words}.")

    # The keywords. Each yields what is wrong with the value.

    def _ref(self, wanted: str, value: Any, _schema: Any, path: str, depth: int) -> Iterator[Fault]:
        return self._faults(self._at(wanted), value, path, depth)

    def _properties(self, wanted: Any, value: Any, _schema: Any, path: str, depth: int) -> Iterator[Fault]:
        if isinstance(value, Mapping):
            for name, schema in wanted.items():
                if name in value:
                    yield from self._faults(schema, value[name], _below(path, name), depth)

    def _additional(self, wanted: Any, value: Any, schema: Any, path: str, depth: int) -> Iterator[Fault]:
        if isinstance(value, Mapping):
            for name in value:
                if name in schema.get("properties", ()):
                    continue
                if wanted is False:
                    yield Fault(_below(path, name), "additionalProperties", "is not expected")
                else:
                    yield from self._faults(wanted, value[name], _below(path, name), depth)

    def _items(self, wanted: Any, value: Any, _schema: Any, path: str, depth: int) -> Iterator[Fault]:
        if isinstance(value, (list, tuple)):
            for number, item in enumerate(value):
                yield from self._faults(wanted, item, _below(path, number), depth)

    def _all_of(self, wanted: Any, value: Any, _schema: Any, path: str, depth: int) -> Iterator[Fault]:
        for schema in wanted:
            yield from self._faults(schema, value, path, depth)

    def _any_of(self, wanted: Any, value: Any, _schema: Any, path: str, depth: int) -> Iterator[Fault]:
        if not any(self._fits(schema, value, path, depth) for schema in wanted):
            yield Fault(path, "anyOf", f"{_short(value)} matches none of the {len(wanted)} alternatives")

    def _one_of(self, wanted: Any, value: Any, _schema: Any, path: str, depth: int) -> Iterator[Fault]:
        fitting = sum(self._fits(schema, value, path, depth) for schema in wanted)
        if fitting != 1:
            yield Fault(path, "oneOf", f"{_short(value)} matches {fitting} of the alternatives instead of one")

    def _not(self, wanted: Any, value: Any, _schema: Any, path: str, depth: int) -> Iterator[Fault]:
        if self._fits(wanted, value, path, depth):
            yield Fault(path, "not", f"{_short(value)} is not allowed")

    def _if(self, wanted: Any, value: Any, schema: Any, path: str, depth: int) -> Iterator[Fault]:
        branch = "then" if self._fits(wanted, value, path, depth) else "else"
        return self._faults(schema.get(branch, True), value, path, depth)

    def _pattern(self, wanted: str, value: Any, _schema: Any, path: str, _depth: int) -> Iterator[Fault]:
        if isinstance(value, str):
            pattern = _compiled(wanted)
            try:
                with time_limit(_SECONDS) if may_take_long(pattern) else contextlib.nullcontext():
                    found = pattern.search(value)
            except TooLong:
                raise InvalidRequest(f"{self._option}: the pattern {wanted!r} takes too long.", HINT) from None
            if found is None:
                yield Fault(path, "pattern", f"{_short(value)} does not match {wanted}")


def _plain(keyword: str, faulty: Callable[[Any, Any], str]) -> Check:
    """A keyword that looks at nothing but the value. `faulty(wanted, value)` returns what is wrong, or ""."""

    def check(_self: Schema, wanted: Any, value: Any, _schema: Any, path: str, _depth: int) -> Iterator[Fault]:
        words = faulty(wanted, value)
        if words:
            yield Fault(path, keyword, words)

    return check


def _below(path: str, name: Any) -> str:
    return f"{path}/{str(name).replace('~', '~0').replace('/', '~1')}"


def _short(value: Any) -> str:
    text = canonical(value).decode()
    return text if len(text) <= 60 else text[:57] + "..."


@functools.lru_cache(maxsize=256)
def _compiled(text: str) -> re.Pattern[str]:
    """The pattern. In JSON Schema "$" is only the end of the text, not before a newline there."""
    if text.endswith("$") and not text.endswith("\\$"):
        text = text[:-1] + r"\Z"
    return compile_pattern(text)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _is_whole(number: Decimal) -> bool:
    return number == number.to_integral_value()


_TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and is_finite(value) and _is_whole(exact(value)),
    "number": _is_number,
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, (list, tuple)),
    "object": lambda value: isinstance(value, Mapping),
}


def _type(wanted: Any, value: Any) -> str:
    kinds = [wanted] if isinstance(wanted, str) else wanted
    if any(_TYPES[kind](value) for kind in kinds):
        return ""
    return f"{_short(value)} is not of type {' or '.join(kinds)}"


def _required(wanted: Sequence[str], value: Any) -> str:
    missing = [name for name in wanted if isinstance(value, Mapping) and name not in value]
    return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing" if missing else ""


def _enum(wanted: Sequence[Any], value: Any) -> str:
    written = canonical(value)
    if any(canonical(one) == written for one in wanted):
        return ""
    return f"{_short(value)} is none of {_short(list(wanted))}"


def _bound(holds: Callable[[Any, Any], bool], words: str) -> Callable[[Any, Any], str]:
    def faulty(wanted: Any, value: Any) -> str:
        if not _is_number(value) or exact(value).is_nan() or holds(exact(value), exact(wanted)):
            return ""
        return f"{_short(value)} is {words} {_short(wanted)}"

    return faulty


def _multiple(wanted: Any, value: Any) -> str:
    if not _is_number(value) or (is_finite(value) and _is_multiple(exact(value), exact(wanted))):
        return ""
    return f"{_short(value)} is not a multiple of {_short(wanted)}"


def _is_multiple(number: Decimal, unit: Decimal) -> bool:
    """Also of numbers that are too large for the remainder of a Decimal."""
    if max(abs(number.adjusted()), abs(unit.adjusted())) > _LONGEST:
        return not number
    return Fraction(number) % Fraction(unit) == 0


def _size(kinds: Any, low: bool, unit: str) -> Callable[[Any, Any], str]:
    def faulty(wanted: int, value: Any) -> str:
        if not isinstance(value, kinds) or (len(value) >= wanted if low else len(value) <= wanted):
            return ""
        return f"has {len(value)} {unit}, {'fewer' if low else 'more'} than {wanted}"

    return faulty


def _unique(wanted: bool, value: Any) -> str:
    if not wanted or not isinstance(value, (list, tuple)) or len(set(map(canonical, value))) == len(value):
        return ""
    return "has equal items"


_LIST, _OBJECT = (list, tuple), Mapping
_KEYWORDS: dict[str, Check] = {
    "$ref": Schema._ref,
    "additionalProperties": Schema._additional,
    "allOf": Schema._all_of,
    "anyOf": Schema._any_of,
    "const": _plain("const", lambda wanted, value: _enum([wanted], value)),
    "enum": _plain("enum", _enum),
    "exclusiveMaximum": _plain("exclusiveMaximum", _bound(lambda one, most: one < most, "not less than")),
    "exclusiveMinimum": _plain("exclusiveMinimum", _bound(lambda one, least: one > least, "not more than")),
    "if": Schema._if,
    "items": Schema._items,
    "maximum": _plain("maximum", _bound(lambda one, most: one <= most, "more than")),
    "minimum": _plain("minimum", _bound(lambda one, least: one >= least, "less than")),
    "maxItems": _plain("maxItems", _size(_LIST, False, "items")),
    "minItems": _plain("minItems", _size(_LIST, True, "items")),
    "maxLength": _plain("maxLength", _size(str, False, "characters")),
    "minLength": _plain("minLength", _size(str, True, "characters")),
    "maxProperties": _plain("maxProperties", _size(_OBJECT, False, "properties")),
    "minProperties": _plain("minProperties", _size(_OBJECT, True, "properties")),
    "multipleOf": _plain("multipleOf", _multiple),
    "not": Schema._not,
    "oneOf": Schema._one_of,
    "pattern": Schema._pattern,
    "properties": Schema._properties,
    "required": _plain("required", _required),
    "type": _plain("type", _type),
    "uniqueItems": _plain("uniqueItems", _unique),
}


# What the value of a keyword must be: a function that returns what is wrong with it, or "".


def _needs(words: str, right: Callable[[Any], bool]) -> Callable[[Any], str]:
    return lambda value: "" if right(value) else f"is not {words}"


def _pattern_shape(value: Any) -> str:
    if not isinstance(value, str):
        return "is not a string"
    try:
        _compiled(value)
    except NotAPattern as exc:
        return f"is not a regular expression: {exc}"
    return ""


def _type_shape(value: Any) -> str:
    kinds = [value] if isinstance(value, str) else value
    known = isinstance(kinds, (list, tuple)) and kinds and all(isinstance(one, str) and one in _TYPES for one in kinds)
    return "" if known else f"is not one of the types {', '.join(sorted(_TYPES))}, or a list of them"


def _texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)


_SCHEMA = _needs("a schema", lambda value: isinstance(value, (bool, Mapping)))
_SCHEMAS = _needs("a list of schemas", lambda value: isinstance(value, (list, tuple)) and len(value) > 0)
_NAMED = _needs("a mapping of schemas", lambda value: isinstance(value, Mapping))
_COUNT = _needs(
    "a number of at least 0", lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0
)
_NUMBER = _needs("a number", lambda value: _is_number(value) and is_finite(value))
_SHAPES: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(("additionalProperties", "items", "not", "if", "then", "else"), _SCHEMA),
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), _SCHEMAS),
    **dict.fromkeys(("properties", "$defs", "definitions"), _NAMED),
    **{f"{least}{what}": _COUNT for least in ("min", "max") for what in ("Items", "Length", "Properties")},
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
    "multipleOf": _needs("a number above 0", lambda value: _is_number(value) and 0 < value < math.inf),
    "$ref": _needs(
        "a reference within the schema (#/...)",
        lambda value: isinstance(value, str) and (value == "#" or value.startswith("#/")),
    ),
    "const": lambda value: "",
    "enum": _needs("a list", lambda value: isinstance(value, (list, tuple)) and len(value) > 0),
    "pattern": _pattern_shape,
    "required": _needs("a list of names", _texts),
    "type": _type_shape,
    "uniqueItems": _needs("true or false", lambda value: isinstance(value, bool)),
}


def _inner(keyword: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The schemas in the value of a keyword, and where they are in it."""
    shape = _SHAPES[keyword]
    if shape is _SCHEMA:
        yield "", value
    elif shape is _SCHEMAS:
        for number, one in enumerate(value):
            yield str(number), one
    elif shape is _NAMED:
        yield from value.items()
