# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that the schema of a database has taken, and the table in it that records them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from ..._core.errors import InvalidRequest

TABLE = "day2_schema_versions"
# Columns: version, digest of its statements, when it was applied (UTC).
COLUMNS = "version INTEGER PRIMARY KEY, digest TEXT NOT NULL, applied_at TEXT NOT NULL"

_COMMENTS = re.compile(r"(?s)\A(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*")
# A step and its record are one transaction: a statement that ends it would part them.
_ENDS = frozenset(
    [
        "ABORT",
        "BEGIN",
        "COMMIT",
        "END",
        "PREPARE",
        "RELEASE",
        "ROLLBACK",
        "SAVEPOINT",
        "START",
        "VACUUM",
        "ATTACH",
        "DETACH",
    ]
)


class Step(NamedTuple):
    """The statements that bring a schema from the previous version to this one."""

    version: int
    statements: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the statements: shows that a step was edited after it was applied."""
        return hashlib.sha256("\0".join(self.statements).encode("utf-8", "surrogatepass")).hexdigest()


@runtime_checkable
class Versioned(Protocol):
    """A store whose schema has versions."""

    location: str

    def versions(self) -> dict[int, str]:
        """The digest of each applied step, by version; none if the database lacks the table.

        :raises SourceError: it cannot be read.
        """

    def take_step(self, step: Step, statements: Sequence[str]) -> bool:
        """Run statements and record the step, in one transaction. Returns False if another run has taken it meanwhile.

        :raises TargetError: with version and statement; nothing of the step was done.
        """


def steps_from(given: Sequence[Mapping[str, Any]]) -> list[Step]:
    """The steps in ascending order.

    :raises InvalidRequest: a version is not a positive number or is not unique, or a step is not SQL.
    """
    steps: dict[int, Step] = {}
    for one in given:
        version, up = one["version"], one["up"]
        if version < 1 or version in steps:
            what = "occurs twice" if version in steps else "is not a valid version: versions start at 1"
            raise InvalidRequest(f"schema: {version} {what}.")
        statements = [up] if isinstance(up, str) else up
        if not isinstance(statements, list) or not statements:
            raise InvalidRequest(
                f"schema: up of version {version} is not a statement.",
                "Set it to an SQL statement, or to a list of them.",
            )
        steps[version] = Step(version, tuple(_statement(version, text) for text in statements))
    return [steps[version] for version in sorted(steps)]


def _statement(version: int, text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise InvalidRequest(f"schema: version {version} has a statement that is not a string: {text!r}.")
    match = _COMMENTS.match(text)
    word = re.match(r"\w*", text[match.end() if match else 0 :])
    if word is not None and word[0].upper() in _ENDS:
        raise InvalidRequest(
            f"schema: version {version} has the statement {word[0].upper()}.",
            "Remove it: a step and its record are one transaction, which this statement would end, or in which it "
            "can't run.",
        )
    return text.strip().rstrip(";").rstrip()


def shown(statement: str) -> str:
    """The statement as it is shown in messages."""
    line = " ".join(statement.split())
    return line if len(line) <= 80 else line[:77] + "..."
