# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which triggers may change or refuse the records that a migration writes, told from what they do."""

from __future__ import annotations

import re
from collections.abc import Collection

# What is text or a comment, or a word, or a name in quotes.
_TOKEN = re.compile(
    r"""'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|"((?:[^"]|"")*)"|`([^`]*)`|\[([^]]*)\]|([\w.]+)""",
    re.S,
)
_SAID = ("NOTICE", "WARNING", "INFO", "LOG", "DEBUG")  # levels of RAISE that refuse nothing
_WRITES = ("UPDATE", "INTO", "DELETE")
_BESIDE = ("OR", "ROLLBACK", "ABORT", "REPLACE", "FAIL", "IGNORE", "FROM", "ONLY")  # between the word and the table


# Functions of PostgreSQL that write into no table.
_HARMLESS = ("pg_notify", "set_config", "nextval", "setval", "currval", "lastval", "pg_sleep")


def hides(body: str) -> bool:
    """Does a trigger run what its text does not say: dynamic SQL, or functions and procedures that others have made?

    :param body: its statements.
    """
    words = [next(filter(None, match.groups())) for match in _TOKEN.finditer(body) if any(match.groups())]
    for word, following in zip(words, [*words[1:], ""]):
        name = following.rpartition(".")[2].lower()
        if word.upper() in ("EXECUTE", "CALL"):
            return True
        if word.upper() == "PERFORM" and not (name.isdigit() or name in _HARMLESS or name == "from"):
            return True
    return False


def interferes(body: str, tables: Collection[str]) -> bool:
    """Does a trigger write into one of these tables (in lower case), or refuse records?

    :param body: its statements.
    """
    words = [next(filter(None, match.groups())) for match in _TOKEN.finditer(body) if any(match.groups())]
    for place, word in enumerate(words):
        if word.upper() == "RAISE" and "".join(words[place + 1 : place + 2]).upper() not in _SAID:
            return True
        if word.upper() in _WRITES:
            following = (one for one in words[place + 1 :] if one.upper() not in _BESIDE)
            if next(following, "").rpartition(".")[2].lower() in tables:
                return True
    return False
