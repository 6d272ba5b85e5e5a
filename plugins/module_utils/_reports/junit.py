# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report: {format: junit}. JUnit XML, as CI systems show it.

A critical check is a failure and an unknown one an error, unless it is quiet: then it is skipped, as is what was
skipped, and the message says what it is. JUnit knows no warning: such a test passes, and says so in its output. The
property `status` has the status as it is.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Optional
from xml.sax.saxutils import escape, quoteattr, unescape

from .._core.outcome import CRITICAL, OK, SKIPPED, UNKNOWN, Outcome
from .base import Report, plain

# Only what `render` writes: an XML parser would also expand the entities of somebody else's file.
_CASE = re.compile(r'<testcase name=("[^"]*"|\'[^\']*\')[^>]*>\s*<properties><property name="status" value="(\w+)"/>')
_QUOTES = {"&quot;": '"'}


class JUnit:
    """One test suite, a test case a check."""

    def render(self, report: Report, name: str) -> bytes:
        verdicts = [_verdict(one) for one in report.outcomes]
        counts = {kind: verdicts.count(kind) for kind in ("failure", "error", "skipped")}
        made_at = datetime.fromtimestamp(int(report.made_at), timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
        totals = 'tests="%d" failures="%d" errors="%d"' % (len(verdicts), counts["failure"], counts["error"])
        lines = [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<testsuites %s time="%.3f">' % (totals, report.duration_s),
            '<testsuite name=%s %s skipped="%d" time="%.3f" timestamp="%s" hostname=%s>'
            % (_quoted(name), totals, counts["skipped"], report.duration_s, made_at, _quoted(report.host)),
        ]
        for outcome, verdict in zip(report.outcomes, verdicts):
            lines.extend(_case(outcome, verdict))
        lines.extend(["</testsuite>", "</testsuites>", ""])
        return "\n".join(lines).encode("utf-8")

    def answers(self, text: str) -> Optional[list[tuple[str, str]]]:
        if "<testsuites " not in text:
            return None
        return [(unescape(name[1:-1], _QUOTES), status) for name, status in _CASE.findall(text)]


def _verdict(outcome: Outcome) -> str:
    if outcome.status in (CRITICAL, UNKNOWN) and outcome.quiet:
        return "skipped"
    return {CRITICAL: "failure", UNKNOWN: "error", SKIPPED: "skipped"}.get(outcome.status, "")


def _case(outcome: Outcome, verdict: str) -> list[str]:
    said = plain(outcome.message)
    if outcome.quiet and outcome.status != OK:
        said = f"quiet, {outcome.status}: {said}"
    lines = [
        '<testcase name=%s classname=%s time="%.3f">'
        % (_quoted(outcome.name), _quoted("health." + outcome.type), outcome.duration_s),
        '<properties><property name="status" value="%s"/></properties>' % outcome.status,
    ]
    if verdict == "skipped":
        lines.append(f"<skipped message={_quoted(said)}/>")
    elif verdict:
        lines.append(
            '<%s type="%s" message=%s>%s</%s>' % (verdict, outcome.status, _quoted(said), escape(said), verdict)
        )
    else:
        lines.append(f"<system-out>{escape(f'{outcome.status}: {said}')}</system-out>")
    return [*lines, "</testcase>"]


def _quoted(text: str) -> str:
    return quoteattr(plain(text))
