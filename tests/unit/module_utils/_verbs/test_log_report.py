# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import json
import lzma
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest, SourceError
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._logs import reading
from ansible_collections.day2.ops.plugins.module_utils._logs.times import zone
from ansible_collections.day2.ops.plugins.module_utils._verbs.logs import report as log_report
from tests.unit.module_utils.verbs import run_verb

DAY = 1_750_000_000  # 2025-06-15T15:06:40Z


def report(*paths: Path, **params: Any) -> dict[str, Any]:
    values = {name: one.get("default") for name, one in log_report.ARGUMENTS["argument_spec"].items()}
    values.update(params, paths=[str(path) for path in paths])
    results = [run_verb(log_report, values, check) for check in (True, False)]
    for result in results:
        result.pop("duration_s")
    assert results[0] == results[1]
    return results[0]


def lines(count: int, **more: Any) -> bytes:
    return b"".join(
        json.dumps({"ts": DAY + number, "op": "op", "elapsed_ms": number + 1, **more}).encode() + b"\n"
        for number in range(count)
    )


def test_a_log_in_numbers(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(lines(100, status=200) + lines(1, status=503, op="slow", elapsed_ms=5000))
    found = report(path)
    assert (found["total"], found["errors"], found["error_rate"]) == (101, 1, 0.99)
    assert (found["first"], found["last"]) == ("2025-06-15T15:06:40Z", "2025-06-15T15:08:19Z")
    assert found["rate_per_s"] == pytest.approx(101 / 99, abs=0.001)
    assert found["errors_by_code"] == [{"name": "503", "count": 1}]
    assert found["latency"]["max_s"] == 5
    assert found["latency"]["p50_s"] == pytest.approx(0.051, rel=0.01)
    assert found["latency"]["mean_s"] == pytest.approx((5050 + 5000) / 101 / 1000, rel=1e-5)
    assert [(one["name"], one["total"], one["errors"]) for one in found["operations"]] == [
        ("slow", 1, 1),
        ("op", 100, 0),
    ]
    assert found["warnings"] == []
    assert "slowest slow (p95 5s)" in found["msg"]


def test_a_window(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(lines(100) + b'{"op": "timeless"}\n')
    found = report(path, since="2025-06-15T15:06:50Z", until="2025-06-15T15:07:00Z")
    assert (found["total"], found["outside_window"], found["without_time"]) == (10, 90, 1)
    assert found["rate_per_s"] == 1.0
    os.utime(path, (DAY, DAY))
    assert report(path, since="1h")["older_files"] == [str(path)]


@pytest.mark.parametrize("size", [64, 1000, 1 << 20])
def test_rotated_and_compressed_files_in_blocks_of_any_size(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_BLOCK", size)
    data = lines(50) + b"\n" + b"no json\n" + lines(50)[:-1]  # the last line has no end yet
    (tmp_path / "app.log").write_bytes(data)
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(data[:700]) + gzip.compress(data[700:]))
    (tmp_path / "app.log.2.xz").write_bytes(lzma.compress(data))
    subprocess.run(["zstd", "-q", "-o", str(tmp_path / "app.log.3.zst")], input=data, check=True)
    found = report(tmp_path / "app.log*")
    assert found["total"] == 400
    assert found["unparsable"]["count"] == 4
    assert [(Path(one["path"]).name, one["line"]) for one in found["unparsable"]["first"]] == [
        ("app.log", 52),
        ("app.log.1.gz", 52),
        ("app.log.2.xz", 52),
        ("app.log.3.zst", 52),
    ]
    assert found["files"][0]["bytes"] == len(data)


def test_what_can_not_be_read_is_counted_and_shown_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"".join(b"secret %d\n" % number for number in range(20)) + lines(3))
    found = report(path)
    first = [{"path": str(path), "line": n, "reason": "it is not a JSON object"} for n in range(1, 6)]
    assert found["unparsable"] == {"count": 20, "too_slow": 0, "first": first}
    assert "secret" not in json.dumps(found)
    shown = report(path, show_unparsable=True)["unparsable"]["first"]
    assert [one["text"] for one in shown] == [f"secret {number}" for number in range(5)]


def test_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_BLOCK", 1000)
    monkeypatch.setattr(reading, "_LONGEST_LINE", 5000)
    path = tmp_path / "app.log"
    path.write_bytes(lines(10) + b"{}" + b" " * 20000 + b"\n" + lines(10) + b"x" * 20000)
    found = report(path)
    assert found["total"] == 20
    assert found["unparsable"]["count"] == 2
    assert [one["line"] for one in found["unparsable"]["first"]] == [11, 22]


def test_a_file_that_is_found_twice_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(lines(10))
    os.link(path, tmp_path / "app.log.1")
    (tmp_path / "app.log.current").symlink_to(path)
    (tmp_path / "app.log.d").mkdir()
    assert report(path, tmp_path / "app.log*")["total"] == 10


def test_what_is_written_while_it_is_read_belongs_to_the_next_report(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(lines(10))
    with reading.opened([str(path)], None) as (files, _old, _problems):
        with path.open("ab") as handle:
            handle.write(lines(10))
        path.rename(tmp_path / "app.log.1")
        (block,) = reading.blocks(files[0], Progress())
    assert block.data == b"\n" + lines(10)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.gz", gzip.compress(lines(100))[:-20], "truncated"),
        ("a.xz", lzma.compress(lines(100))[:-20], "truncated"),
        ("a.zst", b"no zstd at all", "zstd data is damaged"),
    ],
    ids=["gzip", "xz", "zstd"],
)
def test_a_damaged_file_is_named(name: str, data: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    (tmp_path / "z.log").write_bytes(lines(3))
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(SourceError, match=rf"{name} can't be read: .*{says}") as caught:
        report(tmp_path / "[az]*", tmp_path / "none" / "none.log")
    # all others are reported on
    details = caught.value.details
    assert [Path(one["path"]).name for one in details["problems"]] == ["none.log", name]
    assert details["total"] >= 3
    assert f"{details['total']} lines, 0 errors" in str(caught.value)


def test_more_files_than_may_be_open(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"app.log.{number}").write_bytes(lines(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (150, hard))
    try:
        assert report(tmp_path / "app.log.*")["total"] == 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_no_link_is_followed_where_others_can_write(tmp_path: Path) -> None:
    (tmp_path / "app.log").symlink_to("/etc/hostname")
    tmp_path.chmod(0o1777)
    with pytest.raises(SourceError, match="symbolic link"):
        report(tmp_path / "app.log")


def test_holes_are_not_read(tmp_path: Path) -> None:
    """Anybody can make a log of 8 TiB that takes no space, and hours to read; so can a truncation under a writer."""
    path = tmp_path / "app.log"
    path.write_bytes(lines(1))
    os.truncate(path, 8 << 40)
    with path.open("ab") as file:
        file.write(lines(2))
    (tmp_path / "app.log.1").touch()
    os.truncate(tmp_path / "app.log.1", 8 << 40)
    found = report(path, tmp_path / "app.log.1")
    assert (found["total"], found["unparsable"]["count"]) == (3, 0)


def test_wrong_names_are_told(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b'{"when": 1, "took": 2, "bad": "error"}\n' * 5)
    times, levels, durations = report(path)["warnings"]
    assert "5 of 5 lines have no valid time" in times
    assert "@wrapper" not in times  # a name of ours
    assert "fields.time, or time_format" in times
    assert "5 of 5 lines have no known level" in levels
    assert "fields.level, or error_levels" in levels
    assert "No line has a duration" in durations
    assert "duration_ms" in durations
    found = report(path, since="2020-01-01", fields={"duration": "took"})
    assert "5 of 5 lines have no valid time and are ignored" in found["warnings"][0]
    assert found["msg"] == "0 lines, 0 errors (0 %), 5 lines without a valid time"
    found = report(path, fields={"time": "when", "duration": "took", "level": "bad"})
    assert (found["warnings"], found["errors"]) == ([], 5)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"since": "yesterday"}, "neither a time nor a duration"),
        ({"since": "1h", "until": "2h"}, "ends before it begins"),
        ({"format": "regex", "pattern": "("}, "not a valid regular expression"),
        ({"format": "regex", "pattern": "x"}, "no named groups"),
        ({"format": "regex", "pattern": "(?P<when>x)"}, "an unknown group when"),
        ({"format": "combined", "fields": {"time": "x"}}, "format=json"),
        ({"pattern": "x"}, "format=regex"),
        ({"slowest": -1}, "slowest"),
    ],
)
def test_wrong_arguments(params: dict[str, Any], says: str, tmp_path: Path) -> None:
    (tmp_path / "app.log").touch()
    with pytest.raises(InvalidRequest, match=says):
        report(tmp_path / "app.log", **params)


def test_no_file(tmp_path: Path) -> None:
    for name in ("none*", "none"):
        with pytest.raises(SourceError, match="none"):
            report(tmp_path / name)


def test_access_logs(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    line = '::1 - bob [15/Jun/2025:15:06:{:02d} +0200] "GET /a?key={} HTTP/1.1" {} 10 "-" "a b" 0.{:03d}\n'
    path.write_text("".join(line.format(n, n, 500 + n % 2, n) for n in range(20)) + "::1 broken\n")
    found = report(path, format="combined")
    assert (found["total"], found["errors"], found["unparsable"]["count"]) == (20, 20, 1)
    assert [one["name"] for one in found["operations"]] == ["GET /a"]
    assert found["first"] == "2025-06-15T13:06:00Z"
    assert found["latency"]["max_s"] == 0.019


def test_a_pattern(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("2025/06/15 15:06:40 WARN  x took 12ms\n2025/06/15 15:06:41 ERROR x took 40ms\nother\n" * 3)
    found = report(
        path,
        format="regex",
        pattern=r"^(?P<time>\S+ \S+) (?P<level>[A-Z]+) +(?P<operation>\w+) took (?P<duration>\w+)$",
        time_format="%Y/%m/%d %H:%M:%S",
        error_levels=["Error"],
    )
    assert (found["total"], found["errors"], found["unparsable"]["count"]) == (6, 3, 3)
    assert found["last"] == "2025-06-15T15:06:41Z"
    assert found["latency"]["max_s"] == 0.04


@pytest.mark.once
def test_memory_is_bounded(tmp_path: Path) -> None:
    """The growth of a process over 30 MB in which nothing is ever the same."""
    path = tmp_path / "app.log"
    with path.open("wb") as handle:
        for number in range(200_000):
            handle.write(
                b'{"ts": %d, "op": "operation %d", "error_code": "E%d", "elapsed_ms": %d, "x": "%s"}\n'
                % (DAY + number, number, number, number, b"x" * 60)
            )
    program = """
import sys
import tempfile
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._logs.times import zone
from ansible_collections.day2.ops.plugins.module_utils._verbs.logs import report as log_report
values = {name: one.get("default") for name, one in log_report.ARGUMENTS["argument_spec"].items()}
found = log_report.run(dict(values, paths=[sys.argv[1]]), False, Progress())
# Of this program alone: ru_maxrss begins with what the process that started it had.
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(found["total"], found["operations_total"], peak)
"""
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).resolve().parents[4] / ".cache" / "collections"))
    command = [sys.executable, "-c", program, str(path)]
    total, operations, peak = subprocess.run(command, env=environment, capture_output=True, check=True).stdout.split()
    assert (int(total), int(operations)) == (200_000, 501)
    assert int(peak) < 64 << 10, peak  # KiB


def test_relative_windows() -> None:
    now = time.time()
    assert log_report.moment("24h", now) == now - 86400
    assert log_report.moment("2025-06-15T15:06:40Z", now) == DAY
    berlin = zone("Europe/Berlin")
    for text in ("2025-06-15 17:06:40", "2025-06-15T15:06:40Z", "2025-06-15 16:06:40+01", "20250615T150640Z"):
        assert log_report.moment(text, now, berlin) == DAY
    assert log_report.moment("2025-06-15", now, berlin) == 1_749_938_400


@pytest.mark.parametrize("others", [True, False])
def test_a_directory_that_may_not_be_searched_is_named(others: bool) -> None:
    with tempfile.TemporaryDirectory() as room:  # pytest's own directories are root's alone
        Path(room).chmod(0o755)
        for name, mode in (("open", 0o755), ("closed", 0o700)):
            log = Path(room, name, "app.log")
            log.parent.mkdir()
            log.write_bytes(lines(3))
            log.parent.chmod(mode)
        os.seteuid(65534)  # root may search everything
        try:
            with pytest.raises(SourceError) as caught:
                report(Path(room, "*" if others else "clo*", "*.log"))
        finally:
            os.seteuid(0)
    assert f"{room}/closed can't be searched: Permission denied." in str(caught.value)
    assert caught.value.details.get("total", 0) == (3 if others else 0)
