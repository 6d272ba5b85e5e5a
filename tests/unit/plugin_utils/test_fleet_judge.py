# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each objective alone, and what a fleet says of all of them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.plugin_utils.fleet.judge import judge
from ansible_collections.day2.ops.plugins.plugin_utils.fleet.schema import checked, fault_of
from ansible_collections.day2.ops.plugins.plugin_utils.fleet.words import DAY, span, trend, visible
from tests.unit.plugin_utils.fleet_sample import HOUR, a_disk, a_fleet, a_host, ago, backup_set

pytestmark = pytest.mark.once


def judged(*hosts: dict[str, Any], **more: Any) -> dict[str, Any]:
    for host in hosts:
        assert not fault_of(host, [])
    return judge(checked(a_fleet(list(hosts), **more)))


def of_set(host: dict[str, Any] | None = None, **more: Any) -> tuple[str, list[str]]:
    """The state of a set, and the codes of its reasons."""
    one = a_host("a1", [backup_set(**more)], **(host or {}))
    state = judged(one)["hosts"][0]["sets"][0]["judged"]
    return "soon" if state["soon"] else state["state"], [reason["code"] for reason in state["reasons"]]


def goals(**more: Any) -> dict[str, Any]:
    return {**backup_set()["objectives"], **more}


DRILL = backup_set()["last_drill"]
COPIES = backup_set()["copies"]
FAILURE = {"at": ago(120), "runs": 1, "error": "timed out", "job": "shop"}
SILENT = {"last_report_at": ago(3 * HOUR)}


@pytest.mark.parametrize(
    ("more", "state", "codes"),
    [
        ({}, "meeting", []),
        ({"age": 4 * HOUR}, "meeting", []),
        ({"age": 4 * HOUR + 1}, "failing", ["rpo"]),
        ({"newest_good": None}, "failing", ["no_backup"]),
        ({"newest_good": None, "problem": "Permission denied"}, "unknown", ["unreadable"]),
        ({"run_every_s": 2 * HOUR}, "meeting", []),
        ({"run_every_s": 2 * HOUR + 1}, "soon", ["tight"]),
        ({"objectives": {}, "age": 100 * DAY, "last_drill": None, "verification": None}, "meeting", []),
        ({"objectives": {}, "run_every_s": DAY, "age": 2 * DAY, "last_failure": FAILURE}, "soon", ["job"]),
        ({"objectives": {}, "run_every_s": DAY, "age": 4 * DAY, "last_failure": FAILURE}, "failing", ["job"]),
        ({"objectives": {}, "run_every_s": None, "last_failure": {**FAILURE, "runs": 3}}, "failing", ["job"]),
        ({"objectives": {}, "age": 60, "last_failure": FAILURE}, "meeting", []),
        ({"verification": {"at": ago(31 * DAY), "backups": 3, "damaged": []}}, "unknown", ["unverified"]),
        ({"verification": {"at": None, "backups": 3, "damaged": []}}, "unknown", ["unverified"]),
        (
            {"verification": {"at": ago(60), "backups": 3, "damaged": [{"backup": "x", "problem": "a: cut"}]}},
            "failing",
            ["damaged"],
        ),
        ({"last_drill": None}, "unknown", ["never_drilled"]),
        ({"last_drill": {**DRILL, "result": "fail", "reason": "3 records differ"}}, "failing", ["drill_failed"]),
        ({"last_drill": {**DRILL, "result": "inconclusive", "reason": "no room"}}, "unknown", ["drill_inconclusive"]),
        ({"last_drill": {**DRILL, "at": ago(31 * DAY)}}, "unknown", ["drill_overdue"]),
        ({"last_drill": {**DRILL, "at": ago(28 * DAY)}}, "meeting", []),
        ({"last_drill": {**DRILL, "at": ago(28 * DAY)}, "drill_scheduled": False}, "soon", ["drill_due"]),
        ({"last_drill": {**DRILL, "stages": {"fetch": 1801}}}, "failing", ["rto"]),
        ({"copies": COPIES[:1]}, "failing", ["copies"]),
        ({"copies": [COPIES[0], {**COPIES[1], "ok": False, "problem": "it cannot be read"}]}, "failing", ["copies"]),
        ({"copies": [COPIES[0], {**COPIES[0], "repository": "/mnt/b"}]}, "failing", ["copies"]),  # none off-site
        ({"objectives": goals(copies=None), "copies": []}, "meeting", []),
    ],
)
def test_one_objective(more: dict[str, Any], state: str, codes: list[str]) -> None:
    assert of_set(**more) == (state, codes)


def test_a_silent_host_is_unknown_and_not_failing() -> None:
    assert of_set(SILENT) == ("unknown", [])
    assert of_set(SILENT, age=9 * HOUR) == ("unknown", [])
    fleet = judged(a_host("a1", [backup_set(age=9 * HOUR)], **SILENT, problem="Connection refused"))
    assert fleet["judged"]["verdict"] == "unknown"
    assert [entry["code"] for entry in fleet["judged"]["attention"]] == ["silent"]
    assert "Connection refused" in fleet["judged"]["attention"][0]["members"][0]["text"]


def test_the_age_is_known_if_the_repository_was_read_without_the_host() -> None:
    assert of_set(SILENT, age=9 * HOUR, read_at=ago(60)) == ("failing", ["rpo"])
    assert of_set(SILENT, age=9 * HOUR, read_at=ago(2 * HOUR)) == ("unknown", [])


@pytest.mark.parametrize(
    ("disk", "state", "code"),
    [
        (a_disk(), "meeting", []),
        (a_disk(95 * 10**9, 10**9), "soon", ["disk"]),
        (a_disk(10**11), "soon", ["disk"]),
        ({**a_disk(95 * 10**9), "used_samples": [95 * 10**9]}, "meeting", []),  # one sample has no trend
    ],
)
def test_disks(disk: dict[str, Any], state: str, code: list[str]) -> None:
    fleet = judged(a_host("a1", [backup_set()], disks=[disk]))
    assert [entry["code"] for entry in fleet["judged"]["attention"]] == code
    assert fleet["hosts"][0]["sets"][0]["judged"]["soon"] == (state == "soon")


def test_a_critical_host_and_a_full_disk_are_in_the_headline() -> None:
    bad = {"score": 60, "checked_at": ago(60), "checks": 3, "problems": []}
    bad["problems"] = [{"name": "api", "status": "critical", "message": "no answer"}]
    fleet = judged(a_host("a1", [backup_set()], health=bad), a_host("a2", [backup_set()], disks=[a_disk(10**11)]))
    assert fleet["judged"]["verdict"] == "soon"
    assert fleet["judged"]["sentence"] == "All 2 backup sets meet their objectives, but 2 hosts are not healthy."


@pytest.mark.parametrize(
    ("chain", "verdict", "codes"),
    [("intact", "meeting", []), ("broken", "failing", ["evidence"]), ("unproven", "meeting", ["evidence_unproven"])],
)
def test_the_evidence_of_a_host(chain: str, verdict: str, codes: list[str]) -> None:
    why = None if chain == "intact" else "Line 3 was changed."
    evidence = {"chain": chain, "entries": 3, "head": "ab" * 32, "why": why}
    about = {"entries": 3, "verified": chain != "broken", "head": "ab" * 32}
    fleet = judged(a_host("a1", [backup_set()], evidence=evidence), a_host("a2", [backup_set()]), evidence=about)
    assert fleet["judged"]["verdict"] == verdict
    (*entries,) = fleet["judged"]["attention"]
    assert [one["code"] for one in entries] == codes
    assert all("Line 3 was changed." in one["members"][0]["text"] for one in entries)


def test_broken_evidence_makes_everything_failing() -> None:
    evidence = {"entries": 3, "verified": False, "head": "ab" * 32}
    fleet = judged(a_host("a1", [backup_set()]), evidence=evidence)
    assert fleet["judged"]["verdict"] == "failing"
    assert fleet["judged"]["sentence"].startswith("The evidence was changed")
    assert (
        judged(a_host("a1", [backup_set()]), evidence={**evidence, "verified": True})["judged"]["verdict"] == "meeting"
    )


@pytest.mark.parametrize(
    ("hosts", "sentence"),
    [
        ([], "No backup set is known: nothing is backed up."),
        ([a_host("a", [backup_set()])], "The one backup set meets its objectives."),
        ([a_host("a", [backup_set(age=DAY)])], "The one backup set fails its objectives."),
        ([a_host("a", [backup_set()], **SILENT)], "The one backup set is unknown; 1 host is silent."),
        (
            [a_host("a", [backup_set(age=DAY), backup_set("b"), backup_set("c", last_drill=None)])],
            "1 of 3 backup sets fails its objectives, 1 is unknown and 1 meets its objectives.",
        ),
        (
            [a_host("a", [backup_set(age=DAY), backup_set("b", age=DAY)])],
            "2 of 2 backup sets fail their objectives and none meets its objectives.",
        ),
        (
            [a_host("a", [backup_set("b", last_drill=None), backup_set("c")])],
            "1 of 2 backup sets is unknown and 1 meets its objectives.",
        ),
    ],
)
def test_the_sentence(hosts: list[dict[str, Any]], sentence: str) -> None:
    assert judged(*hosts)["judged"]["sentence"] == sentence


def test_one_cause_is_one_thing_to_do_with_one_command() -> None:
    failure = {"at": ago(60), "runs": 5, "error": "timed out", "job": "shop"}
    hosts = [a_host(f"a{number}", [backup_set(age=DAY, last_failure=failure)]) for number in range(5)]
    attention = judged(*hosts)["judged"]
    assert len(attention["attention"]) == 1
    assert attention["attention"][0]["todo"] == [
        {
            "do": "Find out why the job fails",
            "command": "ansible all -i inventory -l @limits/rpo-1.txt -b -a 'day2 status'",
        }
    ]
    assert attention["limits"] == {"limits/rpo-1.txt": ["a0", "a1", "a2", "a3", "a4"]}


def test_what_is_wrong_with_one_host_is_one_entry() -> None:
    fleet = judged(a_host("a1", [backup_set(age=DAY, copies=[])]), a_host("a2", [backup_set()]))
    assert [(entry["code"], [also["code"] for also in entry["also"]]) for entry in fleet["judged"]["attention"]] == [
        ("rpo", ["copies"])
    ]


def test_commands_are_quoted() -> None:
    host = "a'; reboot #"
    fleet = judged(a_host(host, [backup_set(newest_good=None)]))
    assert fleet["judged"]["attention"][0]["todo"][0]["command"] == (
        "ansible-playbook day2.ops.backup -i inventory -l 'a'\"'\"'; reboot #'"
    )


def test_only_what_is_required_is_enough() -> None:
    host = {"name": "a", "groups": [], "last_report_at": None, "report_every_s": 60, "sets": []}
    host["sets"] = [{"name": "s", "store": "", "newest_good": None}]
    assert judged(host)["judged"]["count"]["silent"] == 1


@pytest.mark.parametrize(
    "wrong", [{"format": 2}, {"made_at": "yesterday"}, {"fleet": ""}, {"unheard": 1}, {"next_due_at": 5}]
)
def test_facts_that_are_none_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="The facts of the fleet are not valid"):
        checked({**a_fleet([]), **wrong})


@pytest.mark.parametrize(
    ("length", "words"),
    [
        *((0, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (720, "12 min"), (3660, "1 h 1 min"), (47 * HOUR, "47 h")),
        *((49 * HOUR, "2 d 1 h"), (12.5 * DAY, "12 d"), (-5, "0 s")),
    ],
)
def test_lengths_of_time(length: float, words: str) -> None:
    assert span(length) == words


def test_one_clean_up_does_not_hide_the_growth() -> None:
    assert trend([10, 20, 30, 5, 15, 25]) == 10
    assert trend([5]) == 0


def test_what_reorders_text_is_written_out() -> None:
    assert visible({"a\u202eb": ["x\x00", "é", "\U000e0041"]}) == {"a\\u202eb": ["x\\u0000", "é", "\\U000e0041"]}
