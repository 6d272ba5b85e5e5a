# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report: {format: junit}. JUnit XML for CI systems.

A critical check is a failure and an unknown one an error. A quiet or skipped check is skipped, and the message has its
status. JUnit has no warnings: such a test passes, and the output of the suite mentions it. A property of the suite has
the status of each check. The output follows both schemas, that of Ant and that of Jenkins.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Optional
from xml.sax.saxutils import escape, quoteattr, unescape

from .._core.outcome import CRITICAL, OK, SKIPPED, UNKNOWN, Outcome
from .base import Report, plain

# Only what `render` writes: an XML parser would also expand entities in a file of somebody else.
_STATUS = re.compile(r'<property name=("status:[^"]*"|\'status:[^\']*\') value="(\w+)"/>')
_COUNTS = {"failures": "failure", "errors": "error", "skipped": "skipped"}
_QUOTES = {"&quot;": '"'}


class JUnit:
    """One test suite with a test case for each check."""

    def render(self, report: Report, name: str) -> bytes:
        verdicts = [_verdict(one) for one in report.outcomes]
        counts = {kind: verdicts.count(kind) for kind in ("failure", "error", "skipped")}
        made_at = datetime.fromtimestamp(int(report.made_at), timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
        suite = {
            "name": _quoted(name),
            "id": '"0"',
            "package": '""',
            "tests": f'"{len(verdicts)}"',
            **{plural: f'"{counts[kind]}"' for plural, kind in _COUNTS.items()},
            "time": f'"{report.duration_s:.3f}"',
            "timestamp": f'"{made_at}"',
            "hostname": _quoted(report.host or "localhost"),
        }
        lines = [
            '<?xml version="1.0" encoding="UTF-8"?>',
            "<testsuites>",
            "<testsuite {}>".format(" ".join(f"{key}={value}" for key, value in suite.items())),
            "<properties>",
            *(
                f'<property name={_quoted("status: " + plain(one.name))} value="{one.status}"/>'
                for one in report.outcomes
            ),
            "</properties>",
        ]
        for outcome, verdict in zip(report.outcomes, verdicts):
            lines.extend(_case(outcome, verdict))
        passed = [one for one, verdict in zip(report.outcomes, verdicts) if not verdict]
        output = "\n".join(f"{plain(one.name)}: {one.status}: {_said(one)}" for one in passed)
        lines.extend(
            [f"<system-out>{escape(output)}</system-out>", "<system-err/>", "</testsuite>", "</testsuites>", ""]
        )
        return "\n".join(lines).encode("utf-8")

    def answers(self, text: str) -> Optional[list[tuple[str, str]]]:
        if "<testsuites>" not in text:
            return None
        found = _STATUS.findall(text)
        return [(unescape(name[1:-1], _QUOTES).partition(":")[2].strip(), status) for name, status in found]


def _verdict(outcome: Outcome) -> str:
    if outcome.status in (CRITICAL, UNKNOWN) and outcome.quiet:
        return "skipped"
    return {CRITICAL: "failure", UNKNOWN: "error", SKIPPED: "skipped"}.get(outcome.status, "")


def _said(outcome: Outcome) -> str:
    said = plain(outcome.message)
    return f"quiet, {outcome.status}: {said}" if outcome.quiet and outcome.status != OK else said


def _case(outcome: Outcome, verdict: str) -> list[str]:
    said = _said(outcome)
    opening = (
        f"<testcase name={_quoted(outcome.name)} classname={_quoted('health.' + outcome.type)}"
        f' time="{outcome.duration_s:.3f}"'
    )
    if not verdict:
        return [opening + "/>"]
    content = f"<skipped message={_quoted(said)}/>"
    if verdict != "skipped":
        content = f'<{verdict} type="{outcome.status}" message={_quoted(said)}>{escape(said)}</{verdict}>'
    return [opening + ">", content, "</testcase>"]


def _quoted(text: str) -> str:
    return quoteattr(plain(text))
