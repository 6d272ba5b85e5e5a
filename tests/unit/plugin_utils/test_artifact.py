# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.plugin_utils.artifact import artifact

DONE = {"changed": True, "msg": "Done.", "backup": {"id": "b1", "path": "/b1"}, "invocation": {"secret": "s"}}


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ({}, "skipped"),
        ({"msg": "m", "changed": False}, "ok"),
        ({"msg": "m", "changed": True}, "changed"),
        ({"msg": "m", "changed": True, "failed": True}, "failed"),
        ({"skipped": True, "msg": "m"}, "skipped"),
    ],
)
def test_the_status_of_one_result(result: dict[str, Any], status: str) -> None:
    assert artifact(result) == {"status": status, "msg": result.get("msg", "")}


def test_the_worst_of_several_results() -> None:
    results = [{"name": "a", "result": DONE}, {"name": "b", "result": {"failed": True, "msg": "Why."}}]
    assert artifact(results, keep=["backup.id"]) == {
        "status": "failed",
        "msg": "a: Done.; b: Why.",
        "results": [
            {"name": "a", "status": "changed", "msg": "Done.", "backup_id": "b1"},
            {"name": "b", "status": "failed", "msg": "Why."},
        ],
    }
    assert artifact([]) == {"status": "skipped", "msg": ""}
    steps = [{"step": "logs", "status": "ok", "msg": "m"}, {"step": "jobs", "status": "skipped", "msg": "n"}]
    assert artifact(steps) == {"status": "ok", "msg": "logs: m; jobs: n", "results": steps}


def test_a_play_that_failed_says_why() -> None:
    made = artifact(DONE, reason="Not reached.", keep=["backup.id", "backup.none"], results=[{"status": "critical"}])
    assert made == {
        "status": "failed", "msg": "Not reached.", "backup_id": "b1", "results": [{"status": "critical"}],
    }  # fmt: skip


def test_the_newest_head_of_the_journal_is_kept() -> None:
    heads = [
        {"journal": "j", "count": count, "digest": f"d{count}", "time": "t", "anchored_in": ["/b"]} for count in (9, 10)
    ]
    kept = {"journal": "j", "count": 10, "digest": "d10", "time": "t"}
    assert artifact({**DONE, "evidence": heads[1]})["evidence"] == kept
    results = [{"name": str(one["count"]), "result": {**DONE, "evidence": one}} for one in reversed(heads)]
    assert artifact([*results, {"name": "none", "result": DONE}])["evidence"] == kept


def test_an_artifact_is_small() -> None:
    many = [{"name": f"store {number}", "result": {"msg": "é" * 1000}} for number in range(100)]
    made = artifact(many)
    assert len(json.dumps(made)) <= 8192
    assert 0 < len(made["results"]) < 10
    assert made["omitted"] == 100 - len(made["results"])
    assert len(made["msg"]) == 500
    tiny = artifact({"msg": "m"}, results=[{"n": 1}] * 2000)
    assert 8000 < len(json.dumps(tiny)) <= 8192
    large = artifact({"msg": "m", "values": list(range(5000)), "small": [1]}, keep=["values", "small"])
    assert large == {"status": "ok", "msg": "m", "small": [1], "omitted": 1}


def test_deep_values_are_text() -> None:
    deep = {"msg": "", "a": {"b": {"c": {"d": {"e": [1]}}}}}
    assert artifact(deep, keep=["a"])["a"] == {"b": {"c": {"d": {"e": "[1]"}}}}


@pytest.mark.parametrize("wrong", ["text", 3, None, ["text"]])
def test_what_is_no_result_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidRequest, match="The input must be the result of a module"):
        artifact(wrong)
