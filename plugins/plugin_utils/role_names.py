# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of a host that a role does not have, but whose names are nearly those of its variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

_COLLECTION = "day2.ops."
_NEAR = 0.8


def warnings_of(role: Any, variables: Mapping[str, Any]) -> list[str]:
    """One sentence for each variable that is probably mistyped. Other collections' roles may have any variables.

    :param role: the role of a task.
    :param variables: all variables of the task.
    """
    if not role.get_name(include_role_fqcn=True).startswith(_COLLECTION):
        return []
    name = role.get_name(include_role_fqcn=False)
    return [
        f"{mistyped} is not a variable of the role {name}. Did you mean {meant}?"
        for mistyped, meant in near_misses(f"{name}_", list(role.get_default_vars()), variables)
    ]


def near_misses(prefix: str, known: list[str], variables: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of a name with that prefix that is not known, and the known one that it resembles. Others with that prefix
    can be somebody else's, such as retention_days.
    """
    inputs = [one[len(prefix) :] for one in known if one.startswith(prefix)]
    pairs = []
    for variable in sorted(variables):
        rest = variable[len(prefix) :]
        if variable.startswith(prefix) and not rest.startswith("_") and rest not in inputs:
            pairs += [(variable, prefix + near) for near in get_close_matches(rest, inputs, 1, _NEAR)]
    return pairs
