# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's messages name its options. In a role, the user sets the variables of the role instead."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

# An option as messages name it: "on_existing=replace", "Set repository", "…, or increase lock_timeout (…)".
_OPTION = re.compile(
    r"(?P<before>\bSet |[,;] set | (?:and|or) (?:set|increase) )(?P<named>[a-z][a-z_]*[a-z])\b"
    r"|(?<![\w./=-])(?P<given>[a-z][a-z_]*[a-z])(?==\w)"
)


def name_role_variables(result: dict[str, Any], role: str, variables: Container[str]) -> None:
    """In the message and the warnings of a result, name the variables of the role instead of the module's options.

    :param role: the role's short name, which its variables start with.
    :param variables: the names of the role's inputs.
    """
    if isinstance(result.get("msg"), str):
        result["msg"] = with_role_variables(result["msg"], role, variables)
    warnings = result.get("warnings")
    if isinstance(warnings, list):
        result["warnings"] = [_warning(one, role, variables) for one in warnings]


def _warning(warning: Any, role: str, variables: Container[str]) -> Any:
    """The warning, as a string if it had to be changed. From ansible-core 2.19 on, it is an object with an event."""
    text = warning if isinstance(warning, str) else getattr(getattr(warning, "event", None), "msg", None)
    if text is None:
        return warning
    renamed = with_role_variables(text, role, variables)
    return warning if renamed == text else renamed


def with_role_variables(message: str, role: str, variables: Container[str]) -> str:
    """The message with each option that the role has a variable for replaced by that variable's name.

    :param role: the role's short name, which its variables start with.
    :param variables: the names of the role's inputs.
    """

    def name(match: re.Match[str]) -> str:
        option = match["named"] or match["given"]
        variable = f"{role}_{option}"
        return (match["before"] or "") + (variable if variable in variables else option)

    return _OPTION.sub(name, message)
