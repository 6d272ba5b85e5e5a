# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's message names its options; whoever runs the module through a role sets the role's variables instead."""

from __future__ import annotations

import re
from collections.abc import Container

# An option as messages name it: "on_existing=replace", "Set repository", "…, or increase lock_timeout (…)".
_OPTION = re.compile(
    r"(?P<before>\bSet |[,;] set | (?:and|or) (?:set|increase) )(?P<told>[a-z][a-z_]*[a-z])\b"
    r"|(?<![\w./=-])(?P<given>[a-z][a-z_]*[a-z])(?==\w)"
)


def with_role_variables(message: str, role: str, variables: Container[str]) -> str:
    """The message with each option that the role has a variable for replaced by that variable's name.

    :param role: the role's short name, which its variables start with.
    :param variables: the names of the role's inputs.
    """

    def name(match: re.Match[str]) -> str:
        option = match["told"] or match["given"]
        variable = f"{role}_{option}"
        return (match["before"] or "") + (variable if variable in variables else option)

    return _OPTION.sub(name, message)
