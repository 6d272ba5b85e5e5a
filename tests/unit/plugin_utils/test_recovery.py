# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook "recover" decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.plugin_utils.recovery import STAGES, recovery

LOCAL, BUCKET = "/var/backups/day2", "s3://backups/day2"
OLD, NEW = "20250629T120000Z-aaaaaaaa", "20250630T120000Z-bbbbbbbb"
APP = {"name": "app", "source": {"type": "sqlite", "path": "/srv/app/app.db"}, "rto": "30m"}
CONFIG = {
    "name": "app-config",
    "recover": "configuration",
    "source": {"type": "files", "path": "/etc/app"},
    "rto": "5m",
}
NOTHING = {"failed": True, "msg": "The repository does not exist.", "result": {"failed": True}}


def look(*backups: str, host: Optional[str] = "app1") -> dict[str, Any]:
    """The result of a look at a place that has these backups."""
    entries = [{"id": one, "created": one[:16], "good": True} for one in backups]
    said = {"owners": [{"host": host, "newest": max(backups)}], "backups": entries, "msg": "m"}
    return {"failed": False, "msg": "m", "result": {"sets": [said]}}


def facts(**more: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "host": "app1.example.com",
        "machine": "m1",
        "nodename": "app1",
        "now": "2025-07-01T10:00:00Z",
        "stores": [APP],
        "defaults": {"repository": LOCAL, "copy_to": [{"repository": BUCKET, "s3": {"region": "eu"}}]},
    }
    return {**known, **more}


def event(stage: str, status: str = "ok", at: str = "10:01:00", **more: Any) -> dict[str, Any]:
    return {"stage": stage, "status": status, "at": f"2025-07-01T{at}Z", "seconds": 5.0, "msg": "", **more}


def restored(**more: Any) -> str:
    """The state after the set was restored in an earlier run."""
    log = [event("check"), event("data", "changed", set="app")]
    return json.dumps(recovery(facts(looks=[look(OLD), NOTHING], log=log, **more))["state"])


def test_the_newest_backup_of_all_places_is_restored() -> None:
    made = recovery(facts(looks=[look(OLD), look(OLD, NEW)]))
    assert made["problems"] == made["warnings"] == []
    assert made["restores"]["app"]["arguments"] == {
        "name": "app",
        "backup": NEW,
        "repository": BUCKET,
        "s3": {"region": "eu"},
        "target": APP["source"],
    }
    assert recovery(facts(looks=[look(NEW), look(NEW)]))["sets"][0]["repository"] == LOCAL
    made = recovery(facts(looks=[NOTHING, look(NEW)]))
    assert made["sets"][0]["repository"] == BUCKET
    assert made["warnings"] == [f"app: {LOCAL}: The repository does not exist."]


def test_everything_that_is_in_the_way_is_named_at_once() -> None:
    looks = [NOTHING, NOTHING, look(NEW, host="old"), look(NEW, host="old"), look(NEW, host=None), NOTHING]
    stores = [{**APP, "name": name} for name in "abc"]
    problems = recovery(facts(stores=stores, looks=looks))["problems"]
    assert [one.split(" (")[0].split(".")[0] for one in problems] == [
        "a has no good backup",
        "b has no backups of the host app1, but of old",
        "c is encrypted, and cannot be decrypted",
    ]
    assert "store_backup_host: old" in problems[1]
    defaults = {**facts()["defaults"], "host": "old"}
    made = recovery(facts(stores=stores[1:2], looks=looks[2:4], defaults=defaults))
    assert (made["problems"], made["restores"]["b"]["arguments"]["host"]) == ([], "old")
    assert recovery(facts(stores=[APP, APP]))["problems"] == ["Two sets are called app. Give them different names."]


def test_sets_have_an_order() -> None:
    templates = {**APP, "name": "templates", "recover": "templates"}
    made = recovery(facts(stores=[templates, APP, CONFIG, {**APP, "name": "cache", "recover": False}]))
    assert [one["name"] for one in made["sets"]] == ["app-config", "app", "templates"]
    with pytest.raises(InvalidRequest, match="recover of the set app is 'later'"):
        recovery(facts(stores=[{**APP, "recover": "later"}]))


def test_sets_of_jobs_are_recovered_too() -> None:
    arguments = {
        "name": "queue",
        "source": {"type": "files", "path": "/q"},
        "repository": BUCKET,
        "s3": {"region": "eu"},
    }
    jobs = [
        {"name": "nightly", "verb": "backup", "arguments": arguments, "secrets": {"s3.secret_access_key": "key"}},
        {"name": "app", "verb": "backup", "arguments": {"name": "app", "source": {}}},
        {"name": "logs", "verb": "log_rotate", "arguments": {}},
    ]
    made = recovery(facts(jobs=jobs, credentials={"key": "secret"}))
    assert [one["name"] for one in made["sets"]] == ["app", "queue"]
    assert made["looks"][2]["arguments"]["s3"] == {"region": "eu", "secret_access_key": "secret"}
    assert made["backups"] == ["nightly"]
    assert "secret" not in json.dumps([made[key] for key in ("sets", "state", "table", "results")])
    with pytest.raises(InvalidRequest, match="nightly needs the credential key"):
        recovery(facts(jobs=jobs))


def test_a_run_goes_on_with_the_backups_of_the_run_before() -> None:
    begun = json.dumps(recovery(facts(looks=[look(OLD), NOTHING]))["state"])
    again = facts(state=begun, now="2025-07-01T11:00:00Z")
    assert recovery({**again, "looks": [look(OLD, NEW), NOTHING]})["sets"][0]["backup"] == OLD
    assert recovery({**again, "looks": [look(OLD, NEW), NOTHING]})["state"]["started"] == "2025-07-01T10:00:00Z"
    assert recovery({**again, "looks": [look(NEW), NOTHING]})["sets"][0]["backup"] == NEW
    moved = {**APP, "source": {"type": "sqlite", "path": "/srv/other.db"}}
    assert recovery({**again, "stores": [moved], "looks": [look(OLD, NEW), NOTHING]})["sets"][0]["backup"] == NEW
    assert recovery({**again, "restart": True, "looks": [look(OLD, NEW), NOTHING]})["sets"][0]["backup"] == NEW


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("{", "is not the state"),
        ("[]", "is not the state"),
        ({"format": 2}, "is not the state"),
        ({"sets": []}, "is not the state"),
        ({"host": "app2"}, "of the host app2, not app1"),
        ({"machine": "m2"}, "on the machine m2, not m1"),
    ],
)
def test_the_state_of_something_else_is_refused(state: Any, message: str) -> None:
    if isinstance(state, dict):
        state = json.dumps({**json.loads(restored()), **state})
    with pytest.raises(InvalidRequest, match=message):
        recovery(facts(state=state))
    assert recovery(facts(state=state, restart=True))["resumed"] is False


def test_what_was_restored_is_looked_at_again() -> None:
    """As long as nothing uses it, by the restore itself; later, by reading it."""
    again = facts(state=restored(), looks=[look(OLD), NOTHING])
    assert (recovery(again)["doubts"], recovery(again)["sets"][0]["believed"]) == ([], False)
    again["state"] = restored(in_use="2025-07-01T10:02:00Z")
    (doubt,) = recovery(again)["doubts"]
    assert (doubt["verb"], doubt["arguments"]["source"]) == ("backup", APP["source"])
    for failed in (False, True):
        looked = {**again, "doubts": [{"name": "app", "failed": failed}]}
        assert recovery(looked)["sets"][0]["believed"] is not failed
        assert bool(recovery(looked)["problems"]) is failed


MOUNTS = "/dev/sda1 / ext4 rw 0 0\nbackups:/x /srv/a\\040b nfs4 rw 0 0\n"


def test_a_file_system_that_is_not_mounted_has_no_data() -> None:
    """The application may have made new files in its place."""
    mounted = {**APP, "source": {"type": "files", "path": "/srv/a b/data"}}
    used = restored(in_use="2025-07-01T10:02:00Z", stores=[mounted], mounts=MOUNTS)
    assert json.loads(used)["sets"]["app"]["mounts"] == ["/srv/a b"]
    again = facts(state=used, looks=[look(OLD), NOTHING], stores=[mounted], doubts=[{"name": "app", "failed": False}])
    for mounts in (MOUNTS, ""):  # "": nobody knows
        assert recovery({**again, "mounts": mounts})["sets"][0]["believed"]
    planned = recovery({**again, "mounts": MOUNTS.splitlines()[0]})
    assert (planned["sets"][0]["believed"], planned["missing"]) == (False, ["app"])
    said = "in use since, but is not where it was restored: that was the file system mounted at /srv/a b, and it is now"
    assert said in planned["problems"][0]


def test_a_machine_without_an_id_is_not_the_same() -> None:
    state = json.loads(restored())
    state["machine"] = ""
    with pytest.raises(InvalidRequest, match="has no ID"):
        recovery(facts(machine="", state=json.dumps(state)))
    assert recovery(facts(machine=""))["resumed"] is False


def test_the_state_is_of_the_run_that_began_last() -> None:
    again = facts(state=restored(), now="2025-07-01T11:00:00Z")
    assert recovery(again)["state"]["run"] == "2025-07-01T11:00:00Z"
    assert recovery(again)["state"]["started"] == "2025-07-01T10:00:00Z"


def test_what_is_in_use_is_not_replaced() -> None:
    """A repository that does not answer says nothing about the data, and a set that was added may be in use, too."""
    defaults = {**facts()["defaults"], "on_existing": "replace"}
    again = facts(defaults=defaults, state=restored(), looks=[look(OLD), NOTHING])
    assert recovery(again)["restores"]["app"]["arguments"]["on_existing"] == "replace"
    again["state"] = restored(in_use="2025-07-01T10:02:00Z")
    assert "on_existing" not in recovery(again)["restores"]["app"]["arguments"]
    doubts = [{"name": "app", "failed": True, "msg": "The repository is locked."}]
    planned = recovery({**again, "doubts": doubts})
    (problem,) = planned["problems"]
    assert "has been in use since, but cannot be read now: The repository is locked." in problem
    assert planned["missing"] == ["app"]


def test_an_old_recovery_restores_nothing() -> None:
    """What was lost after its end is in newer backups."""
    ended = json.loads(restored(in_use="2025-07-01T10:02:00Z"))
    ended["finished"] = "2025-07-01T10:05:00Z"
    again = facts(state=json.dumps(ended), looks=[look(OLD), NOTHING])
    assert recovery({**again, "doubts": [{"name": "app", "failed": False}]})["problems"] == []
    (problem,) = recovery({**again, "doubts": [{"name": "app", "failed": True}]})["problems"]
    assert "recover_restart=true" in problem


def test_the_times_of_all_runs_count() -> None:
    log = [event("check"), event("data", "changed", "10:10:00", set="app"), event("data", at="10:10:00")]
    log += [event("services", "failed", "10:10:30", msg="no unit")]
    first = recovery(facts(looks=[look(OLD), NOTHING], log=log, in_use="2025-07-01T10:10:00Z"))
    assert first["missing"] == []
    assert first["unfinished"] == ["application", "services", "verify", "schedule", "backup", "health"]
    assert first["objective"]["msg"] == "The system is not back."
    assert "back after 10m, within its rto of 30m" in first["table"][2]
    assert first["table"][3].split() == ["services", "-", "failed", "5s", "no", "unit"]
    later = [event(stage, at="10:40:00") for stage in STAGES] + [event("data", "kept", "10:40:00", set="app")]
    again = facts(state=json.dumps(first["state"]), looks=[look(OLD), NOTHING], now="2025-07-01T10:39:00Z", log=later)
    last = recovery({**again, "doubts": [{"name": "app", "failed": False}]})
    assert (last["missing"], last["unfinished"]) == ([], [])
    assert last["state"]["finished"] == "2025-07-01T10:40:00Z"
    assert last["objective"]["msg"] == "The system was back after 40m, longer than the objective of 30m."
    assert "data          app                      kept" in last["table"][2]
    assert "back after 10m, within its rto of 30m; done at 2025-07-01T10:10:00Z, by an earlier run" in last["table"][2]


def test_a_set_that_was_not_restored_is_missing() -> None:
    log = [event("check"), event("data", "failed", set="app", msg="It exists."), event("data", "failed")]
    made = recovery(facts(looks=[look(OLD), NOTHING], log=log))
    assert made["missing"] == ["app"]
    assert made["unfinished"][:2] == ["application", "data"]
    assert "at" not in made["state"]["sets"]["app"]


def test_databases_are_looked_at() -> None:
    sources = [
        {"name": "database", "type": "sqlite", "path": "/a.db"},
        {"type": "postgresql", "database": "shop", "password": "p", "globals": False},
        {"type": "postgresql", "host": "db1"},
        {"type": "files", "path": "/etc/app"},
    ]
    made = recovery(facts(stores=[{"name": "app", "sources": sources}]))
    assert [one["name"] for one in made["stores"]] == ["app: database", "app: shop"]
    assert made["stores"][1]["arguments"]["store"] == {"type": "postgresql", "database": "shop", "password": "p"}
    assert made["sets"][0]["parents"] == ["/", "/etc"]
    assert made["sets"][0]["paths"] == ["/a.db", "/etc/app"]


def test_the_playbook_has_these_stages() -> None:
    playbooks = Path(__file__).resolve().parents[3] / "playbooks"
    text = (playbooks / "recover.yml").read_text(encoding="utf-8")
    assert f"    recover__stages: [{', '.join(STAGES)}]\n" in text
    assert all((playbooks / "tasks" / "recover" / f"{stage}.yml").exists() for stage in STAGES)
