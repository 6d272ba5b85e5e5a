# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's messages name its options. In a role, the user sets the variables of the role instead.

The action plugin passes the names of these variables in an environment variable: since ansible-core 2.19, it can no
longer change the warnings of a module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

VARIABLE = "DAY2_ROLE_VARIABLES"  # ROLE:OPTION,OPTION,…

# An option as messages name it: "on_existing=replace", "Set repository", "…, or increase lock_timeout (…)".
_OPTION = re.compile(
    r"(?P<before>\bSet |[,;] set | (?:and|or) (?:set|increase) )(?P<named>[a-z][a-z_]*[a-z])\b"
    r"|(?<![\w./=-])(?P<given>[a-z][a-z_]*[a-z])(?==\w)"
)


def packed(role: str, variables: Iterable[str]) -> str:
    """The value of the environment variable.

    :param role: the short name of the role, with which its variables start.
    :param variables: the names of the inputs of the role.
    """
    prefix = f"{role}_"
    return f"{role}:{','.join(sorted(name[len(prefix) :] for name in variables if name.startswith(prefix)))}"


def with_role_variables(message: str, value: str) -> str:
    """The message, in which each option that the role has a variable for is replaced by the name of that variable.

    :param value: of the environment variable; "" outside of a role.
    """
    role, _colon, names = value.partition(":")
    options = names.split(",")

    def name(match: re.Match[str]) -> str:
        option = match["named"] or match["given"]
        return (match["before"] or "") + (f"{role}_{option}" if option in options else option)

    return _OPTION.sub(name, message) if role else message
