# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two readings of the same argument specs agree: that of ansible-core, and that of programs without it."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.specs import check, secrets_in
from ansible_collections.day2.ops.plugins.module_utils._verbs.registry import VERBS, find_verb

SETS = 400  # of arguments for each verb
VALUES: list[Any] = ["a", "/srv/a", "", 3, 0, True, False, "yes", "3", "a,b", ["a"], [], [3], {}, {"a": 1}, 1.5]


def value(draw: random.Random, option: Mapping[str, Any], depth: int = 0) -> Any:
    """Mostly one that is valid."""
    if draw.random() < 0.07:
        return draw.choice(VALUES)
    if option.get("choices") and option.get("type") != "list" and draw.random() < 0.9:
        return draw.choice(list(option["choices"]))
    kind = option.get("type", "str")
    if kind == "list":
        element = {"type": option.get("elements", "raw"), "options": option.get("options")}
        if option.get("choices"):
            element["choices"] = option["choices"]
        return [value(draw, element, depth + 1) for _number in range(draw.randrange(3))]
    if kind == "dict" and option.get("options"):
        return arguments(draw, option["options"], depth + 1)
    simple = {"int": 3, "float": 2.5, "bool": True, "path": "/srv/a", "dict": {"a": "b"}, "raw": ["x"]}
    return simple.get(kind, "text")


def arguments(draw: random.Random, spec: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    often = 0.2 if depth < 3 else 0.05
    given = {
        name: value(draw, option, depth)
        for name, option in spec.items()
        if draw.random() < (0.95 if option.get("required") else often)
    }
    if draw.random() < 0.03:
        given["unheard_of"] = 1
    return given


def without_nulls(given: Any) -> Any:
    if isinstance(given, dict):
        return {name: without_nulls(one) for name, one in given.items() if one is not None}
    return [without_nulls(one) for one in given] if isinstance(given, list) else given


def truth_as_number(spec: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Is the value of an option of type int or float a boolean?"""
    for name, option in spec.items():
        values = given.get(name)
        for one in values if isinstance(values, list) else [values]:
            if {option.get("type"), option.get("elements")} & {"int", "float"} and isinstance(one, bool):
                return True
            if option.get("options") and isinstance(one, Mapping) and truth_as_number(option["options"], one):
                return True
    return False


def by_ansible(verb: Any, given: Mapping[str, Any]) -> Any:
    """The values, or None if they are refused."""
    relations = {name: one for name, one in verb.ARGUMENTS.items() if name not in ("argument_spec", "no_log")}
    try:
        checked = ArgumentSpecValidator(verb.ARGUMENTS["argument_spec"], **relations).validate(copy.deepcopy(given))
    except TypeError:  # of a list of dictionaries that contains something else
        return None
    return None if checked.error_messages else checked


def strictly(verb: Any, given: Mapping[str, Any]) -> Any:
    try:
        return check(verb.ARGUMENTS, copy.deepcopy(given))
    except InvalidRequest:
        return None


@pytest.mark.parametrize("name", sorted(VERBS))
def test_both_readings_agree(name: str) -> None:
    verb = find_verb(name)
    spec = verb.ARGUMENTS["argument_spec"]
    defaults = {one: option.get("default") for one, option in spec.items()}
    draw = random.Random(name)
    accepted = refused = 0
    for _number in range(SETS):
        given = arguments(draw, spec)
        theirs, ours = by_ansible(verb, given), strictly(verb, given)
        if ours is not None:
            assert theirs is not None, given
            assert ours == theirs.validated_parameters, given
            accepted += 1
        if theirs is None:
            assert ours is None, given
            refused += 1
            continue
        # What a controller writes: validated there, without nulls, and without defaults of options that were not given.
        values = without_nulls(theirs.validated_parameters)
        written = {one: value for one, value in values.items() if one in given or value != spec[one].get("default")}
        if truth_as_number(spec, written):  # the one thing that ansible-core accepts and nobody means
            assert strictly(verb, written) is None
            continue
        again = strictly(verb, written)
        assert again is not None, written
        assert without_nulls(again) == {**without_nulls(defaults), **written}
        assert theirs._no_log_values <= secrets_in(spec, given) | secrets_in(spec, written), given
    assert accepted > SETS / 80
    assert refused > SETS / 40
