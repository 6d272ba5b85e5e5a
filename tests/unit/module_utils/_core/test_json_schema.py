# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.json_schema import Schema

# What HostFactory's templates need.
TEMPLATE = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A template",
    "type": "object",
    "required": ["templateId", "maxNumber", "attributes"],
    "properties": {
        "templateId": {"type": "string", "pattern": "^[a-zA-Z0-9_-]+$"},
        "maxNumber": {"type": "integer", "minimum": 1, "maximum": 1000},
        "attributes": {"type": "object", "additionalProperties": {"$ref": "#/$defs/attribute"}},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 3}, "uniqueItems": True, "maxItems": 2},
    },
    "additionalProperties": False,
    "$defs": {"attribute": {"type": "array", "minItems": 2, "items": {"type": ["string", "number"]}}},
}


def test_a_template() -> None:
    schema = Schema(TEMPLATE)
    good = {"templateId": "t-1", "maxNumber": 10, "attributes": {"ncpus": ["Numeric", 2]}}
    assert list(schema.faults(good)) == []
    bad = {
        "templateId": "t 1",
        "maxNumber": 0,
        "attributes": {"a/b": ["x"], "c": [1, None]},
        "x": 1,
        "tags": ["abcd"] * 3,
    }
    assert {(one.path, one.keyword) for one in schema.faults(bad)} == {
        ("/templateId", "pattern"),
        ("/maxNumber", "minimum"),
        ("/attributes/a~1b", "minItems"),
        ("/attributes/c/1", "type"),
        ("/x", "additionalProperties"),
        ("/tags", "uniqueItems"),
        ("/tags", "maxItems"),
        *((f"/tags/{n}", "maxLength") for n in range(3)),
    }
    assert [one.message for one in schema.faults({"templateId": "t", "maxNumber": 1})] == ["attributes is missing"]
    (fault,) = schema.faults([])
    assert fault == ("", "type", "[] is not of type object")


@pytest.mark.parametrize(
    ("schema", "yes", "no"),
    [
        ({"type": "integer"}, [1, 1.0, Decimal(10) ** 30], [1.5, True, "1", None]),
        ({"type": ["null", "boolean"]}, [None, True], [0, ""]),
        ({"enum": [1, "a", None]}, [1, 1.0, "a", None], [True, "A", [1]]),
        ({"const": {"a": [1]}}, [{"a": [1]}], [{"a": [2]}, {}]),
        ({"exclusiveMinimum": 0.1, "exclusiveMaximum": 2}, [0.2, Decimal("0.11"), "x"], [0.1, Decimal("0.1"), 2]),
        ({"multipleOf": 0.1}, [0.3, 7, "x"], [0.35]),
        ({"minLength": 2, "maxLength": 3}, ["ab", "äöü", 5], ["a", "abcd"]),
        ({"pattern": "b$"}, ["ab", 5], ["abc", "b\n"]),
        ({"minProperties": 1, "maxProperties": 1}, [{"a": 1}, []], [{}, {"a": 1, "b": 2}]),
        ({"anyOf": [{"type": "string"}, {"minimum": 5}]}, ["a", 6], [4]),
        ({"oneOf": [{"type": "number"}, {"minimum": 5}]}, [4], [6]),
        ({"allOf": [{"type": "number"}, {"minimum": 5}]}, [6], [4, "a"]),
        ({"not": {"type": "null"}}, [0], [None]),
        ({"if": {"type": "string"}, "then": {"minLength": 1}, "else": {"type": "number"}}, ["a", 1], ["", None]),
        ({"if": {"type": "string"}, "then": {"minLength": 1}}, ["a", None], [""]),
        ({"properties": {"a": False}}, [{}, {"b": 1}, 5], [{"a": 1}]),
        ({"format": "date-time"}, ["never"], []),
        (True, [None], []),
        (False, [], [None]),
    ],
)
def test_keywords(schema: Any, yes: list[Any], no: list[Any]) -> None:
    checked = Schema(schema)
    assert [value for value in yes if list(checked.faults(value))] == []
    assert [value for value in no if not list(checked.faults(value))] == []


def test_a_recursive_schema() -> None:
    tree = Schema({"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}})
    value: Any = {}
    for _level in range(20):
        value = {"children": [value]}
    assert list(tree.faults(value)) == []
    for _level in range(200):
        value = {"children": [value]}
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        list(tree.faults(value))


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (5, "schema: it is not a schema"),
        ({"type": "text"}, "schema: /type is not one of the types"),
        ({"patternProperties": {}}, "the keyword patternProperties at / is not implemented"),
        ({"items": {"contains": {}}}, "the keyword contains at /items is not implemented"),
        ({"allOf": [{"requierd": ["a"]}]}, "the keyword requierd at /allOf/0 is not implemented"),
        ({"properties": {"a": 5}}, "/properties/a is not a schema"),
        ({"pattern": "("}, "/pattern is not a regular expression"),
        ({"minItems": -1}, "/minItems is not a number of at least 0"),
        ({"maximum": "9"}, "/maximum is not a number"),
        ({"multipleOf": 0}, "/multipleOf is not a number above 0"),
        ({"enum": []}, "/enum is not a list"),
        ({"required": "a"}, "/required is not a list of names"),
        ({"anyOf": []}, "/anyOf is not a list of schemas"),
        ({"$ref": "other.json"}, "reference within the schema"),
        ({"$ref": "#/$defs/a"}, "does not contain"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"contains": {}}}}, "contains"),
    ],
)
def test_what_is_no_schema(schema: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        Schema(schema)


def test_a_reference_to_itself() -> None:
    schema = Schema({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}})
    with pytest.raises(InvalidRequest, match="refers to itself"):
        list(schema.faults(1))


def test_a_pattern_that_explodes_is_bounded() -> None:
    schema = Schema({"pattern": "^(a+)+$"})
    with pytest.raises(InvalidRequest, match="takes too long"):
        list(schema.faults("a" * 60 + "b"))


@pytest.mark.parametrize(
    ("schema", "value", "valid"),
    [
        ({"multipleOf": 0.1}, 1e40, True),
        ({"multipleOf": 0.3}, Decimal("1e100"), False),
        ({"multipleOf": 2}, Decimal("1e999999999"), False),
        ({"type": "integer"}, 10**400, True),
        ({"type": "integer"}, Decimal("1e999999999"), True),
        ({"type": "integer"}, Decimal("0.5"), False),
        ({"maximum": 10**400}, 1, True),
        ({"maximum": 5}, float("nan"), True),
    ],
)
def test_numbers_beyond_floats(schema: Any, value: Any, *, valid: bool) -> None:
    assert (not list(Schema(schema).faults(value))) is valid
