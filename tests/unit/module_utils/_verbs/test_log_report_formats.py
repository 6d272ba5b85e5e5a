# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines as servers, loggers, log drivers and collectors write them: each counts, and errors among them are seen."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._logs import reading
from ansible_collections.day2.ops.tests.unit.module_utils._verbs.test_log_report import DAY, report

ACCESS = r"""
10.0.0.1 - - [15/Jun/2025:15:06:40 +0000] "GET /a?key=secret HTTP/1.1" 200 512 "-" "curl/8" 0.010
10.0.0.1 - - [15/Jun/2025:15:06:41 +0000] "GET /say\"hi\" HTTP/1.1" 500 12 "-" "a \"quoted\" agent" 9.500
10.0.0.1 - - [15/Jun/2025:15:06:42 +0000] "GET /b HTTP/1.1" 200 12 "http://x/\"y\"" "-" 0.020
10.0.0.1 - - [15/Jun/2025:15:06:43 +0000] "-" 408 0 "-" "-" 60.001
10.0.0.1 - - [15/Jun/2025:15:06:44 +0000] "" 400 0 "-" "-" 0.000
10.0.0.1 - - [15/Jun/2025:15:06:45 +0000] "\x16\x03\x01\x02\x00\x01\x00" 400 157 "-" "-" 0.001
10.0.0.1 - - [15/Jun/2025:15:06:46 +0000] "get /lower HTTP/1.1" 405 157 "-" "-" 0.001
10.0.0.1 - Frank Smith [15/Jun/2025:15:06:47 +0000] "PROPFIND /dav HTTP/1.1" 207 10 "-" "-" 0.002
example.com:443 ::1 - - [15/Jun/2025:15:06:48 +0000] "GET / HTTP/2.0" 304 - "-" "-" 0.002
10.0.0.1 - - [15/Jun/2025:15:06:49 +0000] "GET /old" 200 5
10.0.0.1 - - [15/Jun/2025:15:06:50 +0000] "GET /c HTTP/1.1" 502 5 "-" "curl" "203.0.113.7, 10.0.0.2" 0.500
10.0.0.1 - - [15/Jun/2025:15:06:51 +0000] "GET /d HTTP/1.1" 200 5 "-" "curl" rt=0.250 uct="0.001"
10.0.0.1 - - [15/Jun/2025:15:06:52 +0000] "GET /e HTTP/1.1" 200 5 "-" "curl" "0.250"
10.0.0.1 - - [15/Jun/2025:15:06:53 +0000] "GET /raw"quote HTTP/1.1" 400 5 "-" "curl" 0.004
10.0.0.1 - - [15/Jun/2025:15:06:54 +0000] "GET /a path with spaces HTTP/1.1" 400 5 "-" "curl"
10.0.0.1 - - [15/Jun/2025:15:06:55 +0000] "CONNECT example.com:443 HTTP/1.1" - 0 "-" "-"
10.0.0.1 - - [2025-06-15T15:06:56+00:00] "POST /f HTTP/1.1" 201 5 "-" "curl\\" 0.004
"""


def test_every_line_of_a_web_server_counts(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text(ACCESS.lstrip())
    found = report(path, format="combined", slowest=100)
    assert (found["total"], found["errors"], found["unparsable"]["count"]) == (17, 2, 0)
    assert (found["first"], found["last"]) == ("2025-06-15T15:06:40Z", "2025-06-15T15:06:56Z")
    assert found["latency"]["count"] == 14
    slow = {one["name"]: one["max_s"] for one in found["operations"]}
    assert slow['GET /say\\"hi\\"'] == 9.5
    assert slow["(invalid request)"] == 60.001
    assert (slow["GET /c"], slow["GET /d"], slow["GET /e"]) == (0.5, 0.25, 0.25)
    assert {"GET /a", "GET /b", "get /lower", "PROPFIND /dav", "GET /", "POST /f"} <= set(slow)
    assert "secret" not in json.dumps(found)
    assert found["warnings"] == []


def test_what_no_server_writes_is_told(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text(
        "nothing of it\n" * 3
        + ACCESS.splitlines()[1]
        + "\n"
        + "[x] " * 20_000
        + "\n"
        + '"\\' * 20_000
        + "\n"
        + '[x] "' * 200_000
    )
    found = report(path, format="combined")
    assert (found["total"], found["unparsable"]["count"]) == (1, 6)
    assert "6 of 7 lines can't be parsed as combined" in found["warnings"][0]


@pytest.mark.parametrize(
    ("line", "errors"),
    [
        ({"level": 50}, 1),
        ({"level": "60"}, 1),
        ({"level": 30}, 0),
        ({"PRIORITY": "3", "MESSAGE": "x"}, 1),
        ({"PRIORITY": 6}, 0),
        ({"severity": "err"}, 1),
        ({"level": "crit"}, 1),
        ({"level": "EMERG"}, 1),
        ({"level": "SEVERE"}, 1),
        ({"level": "dpanic"}, 1),
        ({"level": "warn"}, 0),
        ({"status": "ok", "status_code": 503}, 1),
        ({"status": "ok", "status_code": "503"}, 1),
        ({"status": 1, "statusCode": 503}, 1),
        ({"status": "ok", "status_code": 200}, 0),
        ({"status": "503"}, 1),
        ({"error_code": "00000", "level": "LOG"}, 0),
        ({"error_code": "42P01"}, 1),
        ({"error_severity": "FATAL"}, 1),
    ],
)
def test_what_is_an_error(tmp_path: Path, line: dict[str, Any], errors: int) -> None:
    """One by one, and by its shape."""
    for count in (1, 500):
        path = tmp_path / f"{count}.log"
        path.write_text((json.dumps({"time": DAY, "duration": 1, **line}) + "\n") * count)
        found = report(path)
        assert (found["total"], found["errors"]) == (count, errors * count)
        assert found["warnings"] == []


def test_levels_that_are_named(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("".join(json.dumps({"time": DAY, "level": one}) + "\n" for one in (40, "WARN", "ugly", 50, "info")))
    found = report(path, error_levels=["warning", "ugly"])
    assert found["errors_by_code"] == [{"name": name, "count": 1} for name in ("WARN", "ugly", "warning")]


def test_a_status_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text('{"time": 1750000000, "exit": 2}\n{"time": 1750000000, "exit": 0}\n' * 20)
    assert report(path, fields={"status": "exit"}, error_status=1)["errors"] == 20


def test_a_byte_order_mark_loses_no_line(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    line = b'{"time": 1750000000, "level": "error"}\n'
    path.write_bytes(b"\xef\xbb\xbf" + line * 3 + b"\xef\xbb\xbf" + line)
    assert (report(path)["total"], report(path)["unparsable"]["count"]) == (4, 0)
    path.write_bytes(b"\xef\xbb\xbf" + ACCESS.lstrip().encode())
    assert report(path, format="regex", pattern="^(?P<operation>[0-9.]+) ")["total"] == 16


def wrapped_docker(text: str, number: int = 0) -> str:
    return json.dumps({"log": text, "stream": "stdout", "time": f"2025-06-15T15:06:4{number}.5Z"}) + "\n"


OWN = json.dumps({"level": "error", "op": "x", "duration_ms": 5})
WRAPPED = {
    "docker": wrapped_docker(OWN + "\n"),
    "cri": f"2025-06-15T15:06:40.5Z stdout F {OWN}\n",
    "cloudwatch": json.dumps({"timestamp": DAY * 1000 + 500, "message": OWN, "ingestionTime": 1, "eventId": "1"})
    + "\n",
    "aws logs": json.dumps({"events": [{"timestamp": DAY * 1000 + 500, "message": OWN}], "nextToken": "x"}) + "\n",
    "export": f"2025-06-15T15:06:40.5Z {OWN}\n",
    "journald": json.dumps({"__REALTIME_TIMESTAMP": str(DAY * 10**6), "MESSAGE": OWN, "PRIORITY": "6"}) + "\n",
    "syslog": f"<13>Jun 15 15:06:40 host app[12]: {OWN}\n",
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_lines_are_taken_out_of_what_is_around_them(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "app.log"
    path.write_text(WRAPPED[kind] * 600)
    os.utime(path, (DAY + 60, DAY + 60))
    found = report(path, since="2025-06-15T15:00:00Z", until="2025-06-15T16:00:00Z")
    assert (found["total"], found["errors"], found["latency"]["count"]) == (600, 600, 600)
    assert [one["name"] for one in found["operations"]] == ["x"]
    assert found["first"] == "2025-06-15T15:06:40Z"
    assert found["warnings"] == []
    path.write_text(WRAPPED[kind].replace(OWN, "x").replace(json.dumps(OWN)[1:-1], "x") * 3)
    assert report(path, unwrap=False)["errors"] == 0


def test_the_output_of_aws_logs_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    events = [{"timestamp": DAY * 1000 + number, "message": OWN, "eventId": str(number)} for number in range(5)]
    path.write_text(
        json.dumps({"events": events, "searchedLogStreams": []}) + "\n" + json.dumps({"events": [1]}) + "\n"
    )
    found = report(path)
    assert (found["total"], found["errors"], found["without_level"]) == (6, 5, 1)
    own = {"level": "error", "events": [{"message": "x"}], "time": DAY}
    path.write_text(json.dumps(own))
    assert (report(path)["total"], report(path)["errors"]) == (1, 1)


def test_what_is_no_json_within_stays_a_line(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    own = json.dumps({"time": "2025-06-15T15:06:45Z", "level": "error"})
    path.write_text(wrapped_docker("plain\n") * 3 + wrapped_docker(own + "\n") + wrapped_docker("{broken\n") + "torn\n")
    found = report(path)
    assert (found["total"], found["errors"], found["unparsable"]["count"]) == (4, 1, 2)
    assert found["last"] == "2025-06-15T15:06:45Z"  # its own time counts
    assert [one["line"] for one in found["unparsable"]["first"]] == [5, 6]


@pytest.mark.parametrize(
    "around", [{"log": OWN, "time": DAY, "level": "info"}, {"message": OWN, "timestamp": DAY, "level": "info", "id": 1}]
)
def test_an_applications_own_fields_are_not_a_wrapper(tmp_path: Path, around: dict[str, Any]) -> None:
    path = tmp_path / "app.log"
    path.write_text(json.dumps(around) + "\n")
    assert (report(path)["total"], report(path)["errors"]) == (1, 0)


@pytest.mark.parametrize("size", [20_000, 1 << 19])
def test_lines_that_docker_split(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_BLOCK", size)
    own = json.dumps({"level": "error", "text": "x" * 40_000}) + "\n"
    parts = [own[start : start + 16384] for start in range(0, len(own), 16384)]
    path = tmp_path / "app.log"
    path.write_text("".join(map(wrapped_docker, parts)) * 3 + "bad\n" + wrapped_docker(parts[0]))
    found = report(path)
    assert (found["total"], found["errors"], found["unparsable"]["count"]) == (3, 3, 2)
    assert found["unparsable"]["first"][0]["line"] == 10
    cri = tmp_path / "cri.log"
    cri.write_text(f"2025-06-15T15:06:40Z stdout P {OWN[:9]}\n2025-06-15T15:06:41Z stdout F {OWN[9:]}\n")
    assert report(cri)["errors"] == 1


def test_an_access_log_that_docker_keeps(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text("".join(wrapped_docker(line + "\n") for line in ACCESS.strip().splitlines()))
    assert report(path, format="combined")["total"] == 17
    assert report(path, format="regex", pattern='^10.* "(?P<operation>[A-Z]+) ')["total"] == 12


TRACES = """\
2025-06-15 15:06:40 ERROR save failed
Traceback (most recent call last):
  File "app.py", line 3, in save
ValueError: no
2025-06-15 15:06:41 INFO load took 5ms
2025-06-15 15:06:42 ERROR load failed
java.lang.IllegalStateException: no
\tat com.example.App.load(App.java:3)
"""
PATTERN = r"^(?P<time>\S+ \S+) (?P<level>[A-Z]+) (?P<operation>\w+)(?s:.*?\n(?P<code>[\w.]+(?:Error|Exception)):)?"


@pytest.mark.parametrize("size", [40, 1 << 19])
def test_stack_traces_are_joined_to_their_line(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_BLOCK", size)
    path = tmp_path / "app.log"
    path.write_text("torn\n" + TRACES * 2)
    found = report(path, format="regex", pattern=PATTERN, multiline=r"^\d{4}-")
    assert (found["total"], found["errors"], found["continuation_lines"]) == (6, 4, 10)
    assert [one["line"] for one in found["unparsable"]["first"]] == [found["unparsable"]["count"]] == [1]
    names = ["ValueError", "java.lang.IllegalStateException"]
    assert found["errors_by_code"] == [{"name": name, "count": 2} for name in names]
    assert report(path, format="regex", pattern=PATTERN)["unparsable"]["count"] == 11


def test_json_over_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    line = {"time": DAY, "level": "error", "nested": {"a": [1]}}
    trace = "Traceback\n  File\nValueError: no\n"
    path.write_text(json.dumps(line) + "\n" + trace + json.dumps(line, indent=2) + "\n" + json.dumps(line) + "\nbad")
    found = report(path, multiline=r"^\{")
    assert (found["total"], found["errors"], found["unparsable"]["count"]) == (3, 3, 0)
    assert found["continuation_lines"] == 3 + json.dumps(line, indent=2).count("\n") + 1


def test_a_multiline_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "app.log").touch()
    with pytest.raises(InvalidRequest, match="multiline is not a valid regular expression"):
        report(tmp_path / "app.log", multiline="(")
