# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.specs import MASK, check, masked, secrets_in, unknown
from ansible_collections.day2.ops.plugins.module_utils._verbs.registry import VERBS, find_verb

SPEC: dict[str, Any] = {
    "argument_spec": {
        "name": {"type": "str", "required": True},
        "mode": {"choices": ["fast", "safe"], "default": "safe"},
        "count": {"type": "int"},
        "force": {"type": "bool", "default": False},
        "path": {"type": "path"},
        "tags": {"type": "list", "elements": "str"},
        "any": {"type": "raw"},
        "places": {
            "type": "list",
            "elements": "dict",
            "options": {"path": {"type": "path", "required": True}, "key": {"type": "str", "no_log": True}},
        },
    },
    "mutually_exclusive": [("count", "tags")],
    "required_one_of": [("count", "tags", "any", "places")],
    "required_if": [("mode", "fast", ("count", "any"), True), ("force", True, ("path", "any"))],
}


@pytest.mark.parametrize("name", sorted(VERBS))
def test_specs_use_only_what_is_checked(name: str) -> None:
    assert unknown(find_verb(name).ARGUMENTS) == []


def test_what_is_not_checked_is_found() -> None:
    spec = {"argument_spec": {"a": {"type": "dict", "options": {"b": {"type": "bytes", "aliases": ["c"]}}}}}
    assert unknown({**spec, "required_by": {}}) == ["required_by", "a.b: aliases", "a.b: bytes"]


def test_defaults_and_nulls() -> None:
    values = check(SPEC, {"name": "a", "count": 3, "mode": None})
    empty = dict.fromkeys(SPEC["argument_spec"])
    assert values == {**empty, "name": "a", "count": 3, "mode": "safe", "force": False}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"count": 1}, "name is required"),
        ({"name": 3, "count": 1}, "name is not a string"),
        ({"name": "a", "count": "1"}, "count is not an integer"),
        ({"name": "a", "count": True}, "count is not an integer"),
        ({"name": "a", "count": 1, "force": "yes"}, "force is not true or false"),
        ({"name": "a", "tags": "a,b"}, "tags is not a list"),
        ({"name": "a", "tags": [1]}, "tags[0] is not a string"),
        ({"name": "a", "count": 1, "mode": "quick"}, "mode is 'quick'; choices: fast, safe"),
        ({"name": "a", "count": 1, "nmae": "b"}, "unknown option: nmae (options: any, count, "),
        ({"name": "a", "places": [{"path": "/a"}, {}]}, "places[1].path is required"),
        ({"name": "a", "places": [{"path": "/a", "x": 1}]}, "unknown option in places[0]: x (options: key, path)"),
        ({"name": "a", "count": 1, "tags": ["a"]}, "count and tags are mutually exclusive"),
        ({"name": "a"}, "one of count, tags, any, places is required"),
        ({"name": "a", "mode": "fast", "tags": []}, "mode=fast requires count or any"),
        ({"name": "a", "force": True, "path": "/a", "tags": []}, "force=True requires any"),
    ],
)
def test_problems_are_named(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check(SPEC, given)
    assert problem in str(caught.value)


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(InvalidRequest, match=r"^name is required; force is not true or false\.$"):
        check(SPEC, {"count": 1, "force": "yes"})


def test_paths_are_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "/srv")
    values = check(SPEC, {"name": "a", "path": "$WHERE/a", "places": [{"path": "~/b"}]})
    assert values["path"] == "/srv/a"
    assert values["places"] == [{"path": os.path.expanduser("~/b"), "key": None}]


def test_secrets_are_found_at_any_depth() -> None:
    given = {"name": "a", "places": [{"path": "/a", "key": "hunter2"}, {"path": "/b"}]}
    assert secrets_in(SPEC["argument_spec"], given) == {"hunter2"}
    assert "hunter2" not in str(_problem({**given, "count": "x"}))


def _problem(given: dict[str, Any]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        check(SPEC, given)
    return caught.value


def test_secrets_are_masked_wherever_they_are() -> None:
    value = {"hunter2": ["a hunter", 1, None, ("my hunter22",)]}
    assert masked(value, {"hunter2", "hunter", ""}) == {MASK: [f"a {MASK}", 1, None, [f"my {MASK}2"]]}
