# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what modules return to facts, and what is remembered from report to report."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.file_lock import FileLock
from ansible_collections.day2.ops.plugins.plugin_utils.fleet import report
from ansible_collections.day2.ops.plugins.plugin_utils.fleet.gathered import all_facts
from ansible_collections.day2.ops.plugins.plugin_utils.fleet.history import History, NotOurs
from ansible_collections.day2.ops.plugins.plugin_utils.fleet.intervals import days_of, interval_of
from ansible_collections.day2.ops.plugins.plugin_utils.fleet.judge import judge
from ansible_collections.day2.ops.plugins.plugin_utils.fleet.page import pages
from ansible_collections.day2.ops.plugins.plugin_utils.fleet.schema import checked
from ansible_collections.day2.ops.plugins.plugin_utils.fleet.words import DAY
from tests.unit.plugin_utils.fleet_sample import HOUR, NOW

pytestmark = pytest.mark.once
ABOUT = {"tool": "t", "controller": "c", "inventory": "i", "command": "c"}
BACKUP = {"id": "a", "age_s": 1.5 * HOUR, "good": True, "kind": "backup", "verified": "2026-11-27T02:00:00.5Z"}


def told(**more: Any) -> dict[str, Any]:
    """What a host says."""
    found = {"name": "shop", "newest": "a", "age_s": HOUR, "bytes": 1234, "problems": [], "backups": [BACKUP]}
    job = {"name": "shop-job", "verb": "backup", "status": "ok", "failures": 0, "msg": "", "days": "2026-11-27 o3f"}
    return {
        "name": "a1.example.com",
        "groups": ["shop"],
        "report_every": "1h",
        "sets": [{"name": "shop", "type": "sqlite", "repository": "/srv/b", "rpo": "4h", "copies": {"min": 2}}],
        "backups": [{"name": "shop", "sets": [found]}],
        "jobs": {"jobs": [{**job, "last_run": "2026-11-28T02:00:00Z"}]},
        "schedule": [{"name": "shop-job", "verb": "backup", "arguments": {"name": "shop"}, "on_calendar": "hourly"}],
        "mounts": [
            {"mount": "/", "size_total": 1000, "size_available": 100},
            {"mount": "/srv", "size_total": 2000, "size_available": 0},
            {"mount": "/srvb", "size_total": 2000, "size_available": 7},
        ],
        **more,
    }


def facts(*hosts: dict[str, Any], history: History | None = None, now: float = NOW) -> dict[str, Any]:
    whole = all_facts(hosts, history or History("f"), now, fleet="f", made_by=ABOUT, next_due_at=None, evidence=None)
    return judge(checked(whole))


def test_what_a_host_says() -> None:
    host = facts(told())["hosts"][0]
    one = host["sets"][0]
    assert not host["problem"]
    assert host["last_report_at"] == "2026-11-28T03:00:00Z"
    assert [(disk["path"], disk["used_bytes"]) for disk in host["disks"]] == [("/srv", 2000)]
    assert one["newest_good"] == {
        "id": "a",
        "made_at": "2026-11-28T01:30:00Z",
        "confirmed_at": "2026-11-28T02:00:00Z",
    }
    assert one["verification"]["at"] == "2026-11-27T02:00:00Z"
    assert (one["run_every_s"], one["disk"], one["size"]["samples"]) == (HOUR, "/srv", [1234])
    assert one["runs"] == "-" * 85 + "ooof-"
    assert one["copies"][0]["ok"]
    assert one["judged"]["state"] == "meeting"


def test_a_failure_has_one_text_for_one_cause() -> None:
    texts = set()
    for name, more in (
        ("a1.example.com", "2026-11-28T02:00:00Z, pid 77, 3.5 s"),
        ("b2", "2026-11-27 02:00:00, pid 8, 12 s"),
    ):
        job = {
            "name": "shop-job",
            "verb": "backup",
            "status": "failed",
            "failures": 3,
            "last_run": "2026-11-28T02:59:00Z",
        }
        host = told(name=name, jobs={"jobs": [{**job, "msg": f"{name}: no room at {more}"}]})
        texts.add(facts(host)["hosts"][0]["sets"][0]["last_failure"]["error"])
    assert len(texts) == 1


def drilled(**drills: Any) -> str:
    """What a host has recorded of the drills of the set, as it is read."""
    drill = {"at": "2026-11-27T03:00:00Z", "result": "pass", "backup": "a", "from": "/srv/b", "reason": None}
    drill = {**drill, "host": None, "stages": {"restore": 4.5}, "measured_rpo_s": None}
    sets = {"shop": {rule: {**drill, **one} for rule, one in drills.items()}} if drills else {}
    return base64.b64encode(json.dumps({"schema": 1, "sets": sets}).encode()).decode()


def test_the_last_drill_that_the_host_has_recorded() -> None:
    history = History("f")

    def last(now: float = NOW, host: str = "", **more: Any) -> Any:
        wanted = [{**told()["sets"][0], "rto": "10s", "drill_every": "7d", "host": host}]
        (one,) = facts({**told(sets=wanted), **more}, history=history, now=now)["hosts"][0]["sets"]
        return one["last_drill"] and one["last_drill"]["at"], one["judged"]["rto"]["state"]

    assert last() == last(drills=drilled()) == (None, "unknown")
    of_old = drilled(newest={"host": "Old"})
    assert last(drills=of_old) == last(host="new", drills=of_old) == (None, "unknown")
    assert last(host="old", drills=of_old) == ("2026-11-27T03:00:00Z", "meeting")
    assert last(drills=drilled(newest={})) == ("2026-11-27T03:00:00Z", "meeting")
    assert last(drills=drilled(newest={"stages": {"restore": 11}})) == ("2026-11-27T03:00:00Z", "failing")
    failed = {"at": "2026-11-25T03:00:00Z", "result": "fail", "reason": "it is damaged"}
    assert last(drills=drilled(newest=failed, sample={})) == ("2026-11-25T03:00:00Z", "failing")
    moved = {**failed, "from": "/srv/old"}  # the set has that repository no more
    assert last(drills=drilled(newest={}, **{"newest from /srv/old": moved})) == ("2026-11-27T03:00:00Z", "meeting")
    future = {"at": "2027-11-25T03:00:00Z"}
    assert last(drills=drilled(newest={}, sample=future)) == ("2026-11-27T03:00:00Z", "meeting")
    # a host that does not answer is not one that was never drilled
    assert last(problem="refused", jobs={}, backups=[]) == ("2026-11-27T03:00:00Z", "meeting")
    assert last(now=NOW + 8 * DAY)[1] == "unknown"


@pytest.mark.parametrize("drills", ["!", base64.b64encode(b"[1]").decode(), drilled(newest={"result": "good"})])
def test_a_record_of_drills_that_makes_no_sense(drills: str) -> None:
    host = facts(told(drills=drills))["hosts"][0]
    assert "is not valid" in host["fault"]


def test_a_host_that_does_not_answer_is_as_it_was() -> None:
    history = History("f")
    facts(told(), history=history)
    later = NOW + 2 * DAY
    history = History("f", history.dump(NOW))
    silent = {"name": "a1.example.com", "groups": [], "report_every": "1h", "sets": told()["sets"]}
    host = facts({**silent, "problem": "refused"}, history=history, now=later)["hosts"][0]
    assert host["judged"]["silent"]
    assert host["last_report_at"] == "2026-11-28T03:00:00Z"
    assert host["sets"][0]["newest_good"]["id"] == "a"
    assert host["sets"][0]["judged"]["state"] == "unknown"


def test_ninety_days_are_remembered_and_gaps_are_no_zeros() -> None:
    history = History("f")
    for day, size in ((0, 100), (1, 110), (4, 140)):
        host = told()
        host["backups"][0]["sets"][0]["bytes"] = size
        one = facts(host, history=history, now=NOW + day * DAY)["hosts"][0]["sets"][0]
        history = History("f", history.dump(NOW + day * DAY))
    assert one["size"]["samples"] == [100, 110, 120, 130, 140]
    assert one["runs"].endswith("ooofmmmm-")  # an hourly job; today is not over
    late = facts(told(), history=history, now=NOW + 200 * DAY)["hosts"][0]["sets"][0]
    assert late["size"]["samples"] == [1234]


@pytest.mark.parametrize(
    "data",
    [b"{", b"[]", b'{"format": 2}', b'{"format": 1, "fleet": "other", "hosts": {}, "files": []}']
    + [
        json.dumps({"format": 1, "fleet": "f", "files": [], "hosts": {"a": wrong}}).encode()
        for wrong in (
            [],
            {"heard": 5},
            {"heard": "2026-99-01T00:00:00Z"},
            {"disks": {"/": {"x": 1}}},
            {"sets": {"s": {"runs": {"2026-11-28": "x"}}}},
        )
    ],
)
def test_a_history_that_is_not_ours_is_refused(data: bytes) -> None:
    with pytest.raises(NotOurs):
        History("f", data)


@pytest.mark.parametrize(
    "wrong",
    [
        {"backups": "x"},
        {"jobs": {"jobs": [3]}},
        {"mounts": [{"mount": "/srv", "size_total": "x", "size_available": 0}]},
        {"backups": [{"name": "shop", "sets": [{"newest": "a", "age_s": -1e300, "backups": [BACKUP]}]}]},
        {"backups": [{"name": "shop", "sets": [{"newest": "a", "age_s": -90 * DAY, "backups": [BACKUP]}]}]},
        {"health": {"checks": [{"status": "critical", "name": 3}]}},
    ],
)
def test_an_answer_that_makes_no_sense_does_not_hide_the_others(wrong: dict[str, Any]) -> None:
    fleet = facts(told(**wrong), told(name="b2"))
    assert "is not valid" in fleet["hosts"][0]["problem"]
    assert fleet["hosts"][1]["sets"][0]["judged"]["state"] == "meeting"
    assert fleet["hosts"][0]["last_report_at"] is None


@pytest.mark.parametrize(
    "later",
    [
        {"name": "a1.example.com", "problem": "the inventory is wrong"},  # that of its sets, too
        {**told(), "backups": "x"},
        {**told(), "sets": [3]},
        {**told(), "sets": [{}]},
        {**told(), "sets": "x"},
    ],
)
def test_a_host_that_cannot_be_judged_does_not_meet_its_objectives(later: dict[str, Any]) -> None:
    """Not even for as long as one may be silent that does not answer."""
    history = History("f")
    facts(told(report_every="1d"), history=history)
    fleet = facts({"report_every": "1d", **later}, told(name="b2", mounts=[]), history=history, now=NOW + HOUR)
    assert not fleet["hosts"][0]["judged"]["silent"]
    assert fleet["judged"]["verdict"] == "unknown"
    assert fleet["judged"]["attention"][0]["level"] == "unknown"
    assert "tate is unknown" in "".join(pages(fleet).values())


def test_hosts_without_sets_that_cannot_be_judged_are_one_entry() -> None:
    wrong = [{"name": name, "problem": "the inventory is wrong"} for name in ("a1", "a2")]
    history = History("f")
    facts(told(name="a1", sets=[]), told(name="a2", sets=[]), history=history)
    fleet = facts(*wrong, told(name="b2", mounts=[]), history=history)
    assert fleet["judged"]["verdict"] == "unknown"
    assert fleet["judged"]["sentence"] == "The one backup set meets its objectives; 2 hosts cannot be assessed."
    assert [len(entry["members"]) for entry in fleet["judged"]["attention"]] == [2]
    assert "Hosts whose state is unknown" in pages(fleet)["index.html"]


def test_backups_that_are_gone_are_not_remembered_as_good() -> None:
    history = History("f")
    facts(told(), history=history)
    gone = {"name": "shop", "msg": "The repository /srv/b has no set shop. The sets are: none."}
    for look in ([gone], []):  # in the next report, nobody could look
        one = facts(told(backups=look), history=history, now=NOW + 60)["hosts"][0]["sets"][0]
        assert (one["judged"]["state"], one["newest_good"]) == ("failing", None)


def test_what_was_heard_by_a_wrong_clock_is_forgotten() -> None:
    """Nothing would be missing before that time has come."""
    history = History("f")
    facts(told(), history=history, now=NOW + 300 * DAY)
    host = facts({"name": "a1.example.com", "problem": "refused", "sets": told()["sets"]}, history=history)["hosts"][0]
    assert (host["judged"]["silent"], host["sets"][0]["judged"]["state"]) == (True, "unknown")
    assert facts(told(), history=history)["hosts"][0]["sets"][0]["judged"]["state"] == "meeting"


def test_an_interval_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"report_every of a1.example.com: 'often' is not a duration"):
        facts(told(report_every="often"))


def test_a_wrong_objective_is_a_problem_of_its_set() -> None:
    sets = [{**told()["sets"][0], "rpo": "often"}, {**told()["sets"][0], "name": "b", "copies": {"min": -1}}]
    one, two = facts(told(sets=sets))["hosts"][0]["sets"]
    assert [reason["code"] for reason in one["judged"]["reasons"]] == ["unreadable"]
    assert "copies: min is -1" in two["judged"]["reasons"][0]["text"]


@pytest.mark.parametrize(
    ("look", "code"),
    [
        ({"msg": "The repository /srv/b has no set shop. The sets are: none."}, "no_backup"),
        ({"msg": "The repository /srv/b does not exist; is its file system mounted?"}, "unreadable"),
        ({"sets": [{"newest": None, "problems": [{"path": "shop", "problem": "is no directory"}]}]}, "unreadable"),
    ],
)
def test_a_set_that_could_not_be_read_is_not_a_set_without_backups(look: dict[str, Any], code: str) -> None:
    one = facts(told(backups=[{"name": "shop", **look}]))["hosts"][0]["sets"][0]
    assert [reason["code"] for reason in one["judged"]["reasons"]] == [code]


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [
        ({"every": "15m"}, 900),
        ({"on_calendar": "daily"}, DAY),
        ({"on_calendar": "*:0/30"}, 1800),
        ({"on_calendar": "*-*-* *:17:00"}, HOUR),
        ({"on_calendar": "0/4:00"}, 4 * HOUR),
        ({"on_calendar": ["*-*-* 02:30:00"]}, DAY),
        ({"on_calendar": ["02:30", "14:30"]}, None),
        ({"on_calendar": "Mon *-*-* 02:30"}, None),
        ({"every": "often"}, None),
        ({}, None),
    ],
)
def test_intervals(schedule: dict[str, Any], seconds: float | None) -> None:
    assert interval_of(schedule) == seconds


def test_days_in_the_future_are_not_believed() -> None:
    assert days_of("2026-11-29 o2", NOW) == {"2026-11-28": "o"}
    assert days_of("2026-11-29 x", NOW) == days_of("", NOW) == {}


def test_directories_of_the_host_are_others_elsewhere() -> None:
    """Copies there are as the host has seen them last, and of what it never told, nothing is known."""
    here = [{"repository": "s3:b", "status": "current"}, {"repository": "/mnt/nas", "status": "current"}]
    elsewhere = [here[0], {**here[1], "status": "missing"}]
    sets = [{**told()["sets"][0], "repository": "s3:b", "copies": {"min": 3}}]
    looks = [told(sets=sets)["backups"][0]["sets"][0] | {"copies": {"repositories": one}} for one in (here, elsewhere)]
    history = History("f")
    states = []
    for more in (
        {"backups": [{"name": "shop", "sets": looks[:1]}]},
        {"backups": [{"name": "shop", "sets": looks[1:], "elsewhere": True}], "problem": "refused", "jobs": {}},
    ):
        (one,) = facts(told(sets=sets, **more), history=history)["hosts"][0]["sets"]
        states.append(one["judged"]["copies"]["state"])
    assert states == ["meeting", "meeting"]


def params(dest: Path, **more: Any) -> dict[str, Any]:
    given = {name: option.get("default") for name, option in report.ARGUMENTS.items()}
    return {**given, "dest": str(dest), "hosts": [told()], **more}


def test_the_files(tmp_path: Path) -> None:
    dest = tmp_path / "new" / "fleet"
    result = report.report(params(dest), check_mode=True)
    assert (result["verdict"], dest.exists()) == ("soon", False)  # its disk is full
    many = [told(name=f"h{number}", problem="refused", backups=[]) for number in range(5)]
    report.report(params(dest, hosts=many), check_mode=False)
    assert (dest / "limits" / "silent-1.txt").read_text().split() == [f"h{number}" for number in range(5)]
    report.report(params(dest, mode="0640"), check_mode=False)
    assert sorted(path.name for path in dest.iterdir() if path.is_file()) == [
        *("fleet.csv", "fleet.json", "fleet.prom", "history.json", "index.html")
    ]
    assert list((dest / "limits").iterdir()) == []
    assert (dest / "index.html").stat().st_mode & 0o777 == 0o640


def test_commands_name_every_inventory(tmp_path: Path) -> None:
    host = told(problem="refused", backups=[])
    (entry, *_more) = report.report(params(tmp_path, hosts=[host], inventory=["one", "in two"]), True)["attention"]
    assert entry["commands"] == ["ansible all -i one -i 'in two' -l a1.example.com -m ansible.builtin.ping"]


def test_a_mode_that_yaml_has_taken_for_a_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="416 is not an octal mode"):
        report.report(params(tmp_path, mode=str(0o640)), check_mode=True)


def test_a_report_of_another_fleet_is_not_replaced(tmp_path: Path) -> None:
    report.report(params(tmp_path), check_mode=False)
    with pytest.raises(Day2Error, match="belongs to the fleet fleet"):
        report.report(params(tmp_path, fleet="other"), check_mode=True)


def test_the_evidence_of_hosts_is_one() -> None:
    head = {"journal": "f" * 16, "count": 7, "digest": "ab" * 32, "time": "2026-11-28T02:00:00Z"}
    anchors = [
        {**head, "count": count, "repository": "s3://b", "matches": matches}
        for count, matches in ((3, True), (6, True))
    ]
    good = {"chain": "intact", "head": head, "anchors": anchors, "problem": None, "msg": "…"}
    one = facts(told(evidence=good), told(name="b", evidence={}))
    assert one["hosts"][1]["evidence"] is None
    assert one["evidence"] == {
        "entries": 7,
        "verified": True,
        "head": "ab" * 32,
        "anchored_at": "2026-11-28T02:00:00Z",
        "anchor": "s3://b",
    }
    gone = {"chain": "broken", "head": None, "anchors": [], "problem": {"line": 0, "why": "It was removed."}}
    two = facts(told(evidence=good), told(name="b", evidence=gone))
    assert (two["evidence"]["verified"], two["judged"]["verdict"]) == (False, "failing")
    assert two["judged"]["attention"][0]["members"][0]["text"] == "Its journal of evidence was changed: It was removed."
    failed = facts(told(evidence={"msg": "Permission denied"}))
    assert (failed["evidence"], failed["hosts"][0]["evidence"]["why"]) == (None, "Permission denied")


def test_two_reports_at_once_into_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = FileLock(str(tmp_path / "history.json"))
    assert lock.take()
    monkeypatch.setattr(report, "_PATIENCE", 0.0)
    with pytest.raises(Day2Error, match="Another report is being written to"):
        report.report(params(tmp_path), check_mode=False)
    assert report.report(params(tmp_path), check_mode=True)["verdict"]
    lock.release()
    report.report(params(tmp_path), check_mode=False)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
