# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selects values in a JSON document, and checks conditions on them.

A path is the subset of JSONPath that is common elsewhere: `$.a.b`, `$["a b"]`, `$.list[0]`, `$.list[-1]`,
`$.list[*].x`, `$.mapping.*`. The leading `$.` is optional.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional, Union

from .._core.errors import InvalidRequest
from .._core.units import plural
from .base import Deadline, Finding, Option, ProbeFailed
from .options import parse
from .searching import search_all

_STEP = re.compile(
    r"""
    \.? (?P<name> [^.\[\]"'*\s]+ )
    | \.? (?P<all> \* )
    | \[ \s* (?: (?P<index> -?[0-9]+ ) | (?P<star> \* ) | (?P<q> ["'] ) (?P<key> .*? ) (?P=q) ) \s* \]
    """,
    re.VERBOSE,
)
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
_ALL = object()

ASSERTION = {
    "path": Option("text", "", required=True),
    "equals": Option("any", ""),
    "matches": Option("regular expression", ""),
    "min": Option("number", ""),
    "max": Option("number", ""),
    "count": Option("ranges", ""),
}
ASSERTION_HELP = (
    "Each has a `path`, and conditions for every value at that path: `equals`, `matches` (a regular expression),"
    " `min`, `max` (numbers can also be given as text in the data);"
    " or for the number of values: `count`, for example `1-10`. Without conditions, the path must exist."
)
RATIO = {"part": Option("text", "", required=True), "whole": Option("text", "", required=True)}
RATIO_HELP = (
    "`part` and `whole` are paths to numbers or, with `*`, to equally many numbers each. The value is the largest"
    " part as a percentage"
    ' of its whole, for example `{part: "*.failure_count", whole: "*.checkout_count"}`.'
)


class Path(NamedTuple):
    """A parsed path: names, indices and `*`."""

    text: str
    steps: tuple[Any, ...]

    def find(self, document: Any) -> list[tuple[str, Any]]:
        """The values at the path, with the path of each: [("$.a[0]", 1), …]."""
        found = [("$", document)]
        for step in self.steps:
            found = [entry for place, value in found for entry in _members(place, value, step)]
        return found


def _members(place: str, value: Any, step: Union[str, int, object]) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        if step is _ALL:
            return [(f"{place}.{key}", one) for key, one in value.items()]
        return [(f"{place}.{step}", value[str(step)])] if str(step) in value else []
    if isinstance(value, list):
        if step is _ALL:
            return [(f"{place}[{index}]", one) for index, one in enumerate(value)]
        if isinstance(step, int) and -len(value) <= step < len(value):
            return [(f"{place}[{step}]", value[step])]
    return []


def parse_path(text: str) -> Path:
    """Parse a path. Raises InvalidRequest when it is not valid."""
    at, steps = (1 if text.startswith("$") else 0), []
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise InvalidRequest(
                f"{text!r} is not a path into a JSON document.",
                'Write for example $.status, $.list[0].id or $["a b"].*',
            )
        at = match.end()
        if match["name"]:
            steps.append(match["name"])
        elif match["index"]:
            steps.append(int(match["index"]))
        else:
            steps.append(_ALL if match["all"] or match["star"] else match["key"])
    return Path(text, tuple(steps))


class Assertion(NamedTuple):
    """Conditions on the values at a path."""

    path: Path
    expected: Mapping[str, Any]
    has_equals: bool

    def check(self, document: Any, finding: Finding, deadline: Deadline) -> None:
        """Add a problem for each condition that does not hold."""
        found = self.path.find(document)
        counts = self.expected["count"]
        if counts is not None:
            if not any(low <= len(found) <= high for low, high in counts):
                finding.problem(f"{self.path.text} has {plural(len(found), 'value')}")
        elif not found:
            finding.problem(f"{self.path.text} does not exist")
        pattern = self.expected["matches"]
        matches = search_all(pattern, [_as_text(value) for _place, value in found], deadline) if pattern else ()
        for number, (place, value) in enumerate(found):
            problem = self._problem(value, not matches or matches[number])
            if problem:
                finding.problem(f"{place} is {brief(value)}, {problem}")
                return  # the first problem is sufficient

    def _problem(self, value: Any, matches: bool) -> str:
        expected = self.expected
        if self.has_equals and not same(value, expected["equals"]):
            return "not " + brief(expected["equals"])
        if not matches:
            return f"which does not match {expected['matches'].pattern}"
        if expected["min"] is None and expected["max"] is None:
            return ""
        found = number(value)
        if found is None:
            return "which is not a finite number"
        if expected["min"] is not None and found < expected["min"]:
            return f"less than {expected['min']:g}"
        if expected["max"] is not None and found > expected["max"]:
            return f"more than {expected['max']:g}"
        return ""


class Ratio(NamedTuple):
    """The ratio of a part to its whole, or of several."""

    part: Path
    whole: Path

    def measure(self, document: Any, finding: Finding) -> None:
        """Measure the worst ratio under the name "ratio". Raises ProbeFailed when the paths do not match numbers."""
        parts, wholes = self.part.find(document), self.whole.find(document)
        if not parts or len(parts) != len(wholes):
            raise ProbeFailed(
                f"{self.part.text} matches {plural(len(parts), 'value')} and {self.whole.text} matches "
                f"{plural(len(wholes), 'value')}: no ratio"
            )
        ratios = []
        for (place, first), (_place, second) in zip(parts, wholes):
            part, whole = number(first), number(second)
            if part is None or whole is None:
                raise ProbeFailed(f"{place} is {brief(first)} of {brief(second)}, which are not finite numbers")
            # 0 of 0 is not a failure, but more than 0 of 0 is.
            ratios.append((100.0 * float(part) / whole if whole else (100.0 if part else 0.0), place))
        worst, place = max(ratios)
        finding.measure(worst, "ratio", f"{place} of {self.whole.text}")


class Conditions(NamedTuple):
    """The conditions and the ratio of a check that reads a document."""

    assertions: list[Assertion]
    ratio: Optional[Ratio]

    def __bool__(self) -> bool:
        return bool(self.assertions or self.ratio)

    def patterns(self) -> list[re.Pattern[str]]:
        """The regular expressions in conditions."""
        found = (one.expected["matches"] for one in self.assertions)
        return [one for one in found if one is not None]

    def judge(self, document: Any, finding: Finding, deadline: Deadline) -> None:
        """Add the problems and the measured ratio of a document."""
        for assertion in self.assertions:
            assertion.check(document, finding, deadline)
        if self.ratio:
            try:
                self.ratio.measure(document, finding)
            except ProbeFailed as exc:
                finding.problem(str(exc))


def conditions_from(options: Mapping[str, Any]) -> Conditions:
    """The options `json` and `ratio`. Raises InvalidRequest, with all errors of one of them, when it is not valid."""
    return Conditions(_assertions_from(options["json"]), _ratio_from(options["ratio"]))


def _assertions_from(given: Any) -> list[Assertion]:
    problems: list[str] = []
    assertions = []
    for number, one in enumerate(given or []):
        where = f"json[{number}]."
        values = _parse(ASSERTION, one, problems, where)
        if values is not None:
            assertions.append(Assertion(parse_path(values["path"]), values, "equals" in one))
    _raise(problems)
    return assertions


def _ratio_from(given: Any) -> Optional[Ratio]:
    if not given:
        return None
    problems: list[str] = []
    values = _parse(RATIO, given[0], problems, "ratio.")
    if len(given) != 1:
        problems.append("ratio must be a mapping")
    _raise(problems)
    return Ratio(parse_path(values["part"]), parse_path(values["whole"])) if values else None


def _parse(spec: Mapping[str, Option], given: Any, problems: list[str], where: str) -> Any:
    before = len(problems)
    problems.extend(f"{where}{name} is not an option" for name in given if name not in spec)
    values = parse(spec, given, problems, where)
    return values if len(problems) == before else None


def _raise(problems: list[str]) -> None:
    if problems:
        raise InvalidRequest("; ".join(problems) + ".")


def same(value: Any, expected: Any) -> bool:
    """Whether two values are equal, also if one is the text of a number, or the expected one is the text of a
    boolean."""
    if isinstance(value, bool) or isinstance(expected, bool) or value is None:
        return value is expected or (isinstance(expected, str) and expected.lower() == _as_text(value))
    if isinstance(value, str) != isinstance(expected, str):
        one, other = number(value), number(expected)
        return (one is not None and one == other) or _as_text(value) == expected
    return bool(value == expected)


def number(value: Any) -> Union[int, float, None]:
    """A finite number, also from text ("12", " 0.5"); otherwise None."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value) if value.strip().lstrip("+-").isdigit() and len(value) < 300 else float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # an integer that is larger than any float
        return None


def _as_text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def brief(value: Any) -> str:
    """A value for messages, shortened."""
    text = _as_text(value) if not isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
