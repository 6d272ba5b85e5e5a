# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import math
import os
import re
import stat
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest, TargetError
from ansible_collections.day2.ops.plugins.module_utils._core.outcome import STATUSES, Metric, Outcome
from ansible_collections.day2.ops.plugins.module_utils._reports.base import Report, plain
from ansible_collections.day2.ops.plugins.module_utils._reports.registry import FORMATS, check_reports, write

NUMBER = st.floats(allow_nan=True, allow_infinity=True)
NAMES = st.text(min_size=1, max_size=8) | st.sampled_from(
    ['a"b', "a\\", "a\nb", "a|b", "a: b", "</x>", "]]>", "it's", "\ud800"]
)
OUTCOME = st.builds(
    Outcome,
    name=NAMES,
    type=st.sampled_from(["http", "disk"]),
    status=st.sampled_from(STATUSES),
    message=NAMES,
    checked_at=st.floats(0, 4e9),
    duration_s=st.floats(0, 1e5),
    value=st.none() | NUMBER,
    unit=st.sampled_from(["s", "percent", "bytes", "", "days"]),
    warn=st.none() | NUMBER,
    crit=st.none() | NUMBER,
    quiet=st.booleans(),
    metrics=st.lists(st.builds(Metric, NAMES, NUMBER, st.sampled_from(["s", ""])), max_size=2).map(tuple),
)
SUFFIXES = {"json": "json", "junit": "xml", "nagios": "txt", "prometheus": "prom"}


def report(outcomes: list[Outcome], **changes: Any) -> Report:
    checks = [{"name": one.name, "status": one.status, "value": one.value} for one in outcomes]
    worst = max((one.status for one in outcomes), key=STATUSES.index, default="ok")
    result = {"msg": "said", "checks": checks, "alarms": [], "summary": {"status": worst, "score": 50.0}}
    return Report(outcomes, result, 1_750_000_000.25, 0.5, "host.example")._replace(**changes)


def outcome(name: str = "api", status: str = "ok", **more: Any) -> Outcome:
    return Outcome(name, "http", status, more.pop("message", "said"), 1_750_000_000.0, 0.012, **more)


def wanted(directory: Path) -> list[dict[str, Any]]:
    return [{"format": name, "path": str(directory / f"app.{SUFFIXES[name]}")} for name in sorted(FORMATS)]


@pytest.mark.parametrize("name", sorted(FORMATS))
@settings(deadline=None, max_examples=50)
@given(outcomes=st.lists(OUTCOME, max_size=4, unique_by=lambda one: plain(one.name)))
def test_what_is_written_is_read_back(name: str, outcomes: list[Outcome]) -> None:
    form = FORMATS[name]()
    answers = form.answers(form.render(report(outcomes), "app").decode("utf-8"))
    assert answers is not None
    assert sorted(status for _name, status in answers) == sorted(one.status for one in outcomes)


@settings(deadline=None, max_examples=50)
@given(st.lists(OUTCOME, max_size=4))
def test_json_is_json(outcomes: list[Outcome]) -> None:
    data = json.loads(FORMATS["json"]().render(report(outcomes), "app"), parse_constant=pytest.fail)
    assert [one["name"] for one in data["checks"]] == [one.name for one in outcomes]
    assert (data["host"], data["report"], data["made_at"]) == ("host.example", "app", "2025-06-15T15:06:40.250000Z")


@settings(deadline=None, max_examples=50)
@given(st.lists(OUTCOME, max_size=4))
def test_junit_is_xml_and_its_numbers_add_up(outcomes: list[Outcome]) -> None:
    root = ET.fromstring(FORMATS["junit"]().render(report(outcomes), "app"))
    (suite,) = root
    cases = suite.findall("testcase")
    assert int(suite.attrib["tests"]) == len(cases) == len(outcomes)
    for element, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert int(suite.attrib[attribute]) == sum(case.find(element) is not None for case in cases)
    for case, one in zip(cases, outcomes):
        assert (case.find("failure") is not None) == (one.status == "critical" and not one.quiet)
        assert (case.find("error") is not None) == (one.status == "unknown" and not one.quiet)


@settings(deadline=None, max_examples=50)
@given(st.lists(OUTCOME, max_size=4))
def test_nagios_has_a_line_a_check(outcomes: list[Outcome]) -> None:
    lines = FORMATS["nagios"]().render(report(outcomes), "app").decode("utf-8").splitlines()
    assert len(lines) == len(outcomes)
    for line in lines:
        text, separator, data = line.partition(" | ")
        assert re.match("(OK|WARNING|CRITICAL|UNKNOWN|DEPENDENT) - ", text)
        assert separator
        assert "|" not in text + data
        number = r"-?[0-9]+(\.[0-9]+)?"
        entry = rf"'([^'=]|'')*'={number}(s|%|B)?(;{number}:?)?(;{number}:?)?"
        assert re.fullmatch(rf"{entry}( {entry})*", data), data
        labels = re.findall(r"'((?:[^'=]|'')*)'=", data)
        assert len(labels) == len(set(labels)), data


def test_labels_of_nagios_stand_once_in_a_line() -> None:
    metrics = (Metric("duration", 1.0), Metric("a=b", 2.0), Metric("a_b", 3.0))
    (line,) = FORMATS["nagios"]().render(report([outcome(value=4.0, metrics=metrics)]), "app").decode().splitlines()
    assert line == "OK - api: said | 'api'=4 'api duration 2'=1 'api a_b'=2 'api a_b 2'=3 'api duration'=0.012s"


def test_junit_holds_what_both_schemas_permit() -> None:
    outcomes = [outcome(f"{status} {quiet}", status, quiet=quiet) for status in STATUSES for quiet in (False, True)]
    root = ET.fromstring(FORMATS["junit"]().render(report(outcomes, host=""), "app"))
    assert (root.tag, root.attrib) == ("testsuites", {})
    (suite,) = root
    assert [one.tag for one in suite] == ["properties", *["testcase"] * len(outcomes), "system-out", "system-err"]
    assert suite.attrib["hostname"] == "localhost"
    assert {one.attrib["name"]: one.attrib["value"] for one in suite[0]}["status: critical True"] == "critical"
    for case in suite.findall("testcase"):
        assert set(case.attrib) == {"name", "classname", "time"}
        assert [one.tag for one in case] in ([], ["skipped"], ["error"], ["failure"])
    assert "warning False: warning: said" in (suite.findtext("system-out") or "")


SERIES = re.compile(r'(\w+)\{((?:\w+="(?:[^"\\\n]|\\["\\n])*",?)+)\} (NaN|[+-]Inf|-?[0-9.]+(?:e[+-]?[0-9]+)?)')


@settings(deadline=None, max_examples=50)
@given(st.lists(OUTCOME, max_size=4))
def test_prometheus_is_the_exposition_format(outcomes: list[Outcome]) -> None:
    text = FORMATS["prometheus"]().render(report(outcomes), "app").decode("utf-8")
    assert text.endswith("\n")
    family, seen = "", set()
    for line in text.split("\n")[:-1]:
        if line.startswith("#"):
            family = line.split(" ")[2]
            continue
        match = SERIES.fullmatch(line)
        assert match, line
        assert match[1] == family
        assert (match[1], match[2]) not in seen
        seen.add((match[1], match[2]))


@settings(deadline=None, max_examples=15)
@given(st.lists(OUTCOME, min_size=3, max_size=3))
def test_promtool_takes_any_report(outcomes: list[Outcome]) -> None:
    data = FORMATS["prometheus"]().render(report(outcomes), "app")
    done = subprocess.run(["promtool", "check", "metrics"], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_lines_of_nagios_in_full() -> None:
    outcomes = [
        outcome(value=0.012, unit="s", warn=1.0, crit=5.0),
        outcome("disk", "critical", message="3% free | now\nrm it", value=3.0, unit="percent", warn=10, crit=5),
        outcome("db", "warning", quiet=True, metrics=(Metric("lag", 4.5, "s"),)),
        outcome("it's=x", "skipped", value=math.nan),
    ]
    assert FORMATS["nagios"]().render(report(outcomes), "app").decode().splitlines() == [
        "CRITICAL - disk: 3% free / now rm it | 'disk'=3%;10:;5: 'disk duration'=0.012s",
        "WARNING - db: said (quiet) | 'db lag'=4.5s 'db duration'=0.012s",
        "DEPENDENT - it's=x: said | 'it''s_x duration'=0.012s",
        "OK - api: said | 'api'=0.012s;1;5 'api duration'=0.012s",
    ]


def test_only_a_check_that_comes_goes_or_has_another_status_is_a_change(tmp_path: Path) -> None:
    def changed(outcomes: list[Outcome], check: bool = False, **changes: Any) -> set[bool]:
        done = write(wanted(tmp_path), report(outcomes, **changes), check)
        assert [one["path"] for one in done] == [one["path"] for one in wanted(tmp_path)]
        return {one["changed"] for one in done}

    first = [outcome(), outcome("db", "warning")]
    assert changed(first, check=True) == {True}
    assert list(tmp_path.iterdir()) == []
    assert changed(first) == {True}
    assert changed(first, check=True) == {False}
    before = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    later = [one._replace(value=7.0, message="other", duration_s=1.0) for one in first]
    assert changed(later, made_at=1_750_000_060.0) == {False}
    assert all(old != path.read_bytes() for old, path in zip(before, sorted(tmp_path.iterdir())))
    assert changed([outcome(), outcome("db", "critical")], check=True) == {True}
    assert changed([outcome()], check=True) == {True}
    assert changed([outcome(), outcome("db2", "warning")]) == {True}
    assert changed([], check=True) == {True}


def test_files_are_readable_for_all_and_nothing_is_left(tmp_path: Path) -> None:
    mask = os.umask(0o077)
    try:
        write(wanted(tmp_path), report([outcome()]), False)
    finally:
        os.umask(mask)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o644}
    assert len(list(tmp_path.iterdir())) == len(FORMATS)
    path = tmp_path / "app.prom"
    path.chmod(0o600)
    (done,) = write([{"format": "prometheus", "path": str(path)}], report([outcome()]), False)
    assert done["changed"]  # node_exporter could not read it
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_what_a_killed_run_left_goes_after_an_hour(tmp_path: Path) -> None:
    old, young, other = (
        tmp_path / f".day2-{name}" for name in ("app.prom.00000000", "app.prom.11111111", "app.xml.00000000")
    )
    for path in (old, young, other):
        path.write_text("")
    for path in (old, other):
        os.utime(path, (1, 1))
    write([{"format": "prometheus", "path": str(tmp_path / "app.prom")}], report([outcome()]), False)
    assert sorted(path.name for path in tmp_path.iterdir()) == [young.name, other.name, "app.prom"]


def test_no_link_is_followed_where_others_can_write(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "app.prom").symlink_to(victim)
    shared.chmod(0o1777)
    with pytest.raises(TargetError, match="symbolic link"):
        write([{"format": "prometheus", "path": str(shared / "app.prom")}], report([outcome()]), False)
    assert victim.read_text() == "mine"
    shared.chmod(0o755)
    (done,) = write([{"format": "json", "path": str(shared / "app.prom")}], report([outcome()]), False)
    assert done["changed"]
    assert json.loads(victim.read_text())["msg"] == "said"


@pytest.mark.parametrize(
    ("requests", "error", "says"),
    [
        ([("json", "a"), ("junit", "a")], InvalidRequest, "Two reports"),
        ([("prometheus", "a.txt")], InvalidRequest, "node_exporter"),
        ([("json", "no/a")], TargetError, "does not exist"),
        ([("json", "directory")], TargetError, "not a regular file"),
        ([("json", "fifo")], TargetError, "not a regular file"),
    ],
)
def test_what_can_not_be_written(
    requests: list[tuple[str, str]], error: type[Exception], says: str, tmp_path: Path
) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(error, match=says):
        check_reports([{"format": form, "path": str(tmp_path / name)} for form, name in requests])


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}", b"[]", b"<x/>", b"[" * 100000])
def test_something_else_is_replaced(content: bytes, tmp_path: Path) -> None:
    for one in wanted(tmp_path):
        Path(one["path"]).write_bytes(content)
    assert {one["changed"] for one in write(wanted(tmp_path), report([outcome()]), False)} == {True}
    assert {one["changed"] for one in write(wanted(tmp_path), report([outcome()]), False)} == {False}
