# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.plugin_utils import progress as controller
from tests.services.waiting import PATIENCE, wait_for

RECORD = {"n": 3, "label": "Copying /x", "unit": "bytes", "total": 100, "done": 50, "seconds": 2.5, "z": 3}


def test_the_controller_reads_what_the_target_writes(tmp_path):
    path = tmp_path / "progress"
    target = Progress(str(path))
    try:
        assert controller.parse_record(path.read_text()) is None
        target.start("Copying\u2028\u00e4 {{ 1 }}", total=2**40, unit="bytes")
        record = controller.parse_record(path.read_text())
    finally:
        target.close()
    assert record["label"] == "Copying \u00e4 {{ 1 }}"
    assert (record["n"], record["done"], record["total"], record["unit"]) == (1, 0, 2**40, "bytes")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cat: not a record\n",
        "{",
        "[1]",
        '{"n": 3, "z": 4, "done": 1, "seconds": 1}',
        json.dumps({**RECORD, "done": -1}),
        json.dumps({**RECORD, "done": True}),
        json.dumps({**RECORD, "done": 2**63}),
        json.dumps({**RECORD, "total": "9"}),
        json.dumps({**RECORD, "seconds": float("nan")}),
        json.dumps({**RECORD, "seconds": float("inf")}),
        json.dumps({**RECORD, "label": "x" * 5000}),
        "{" * 4000,
    ],
)
def test_what_is_no_record_is_ignored(text):
    assert controller.parse_record(text) is None


def test_a_target_cannot_control_the_terminal():
    record = controller.parse_record(
        "banner\n" + json.dumps({**RECORD, "label": "\x1b[2J\n[other] ok\u202e" + "x" * 500})
    )
    assert record["label"].startswith(" [2J [other] ok x")
    assert len(record["label"]) == 120


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "[web1] Copying /x: 50 B of 100 B (50%), 20 B/s, 2s left"),
        ({"done": 0}, "[web1] Copying /x: 0 B of 100 B (0%)"),
        ({"done": 100}, "[web1] Copying /x: 100 B of 100 B (100%), 40 B/s"),
        ({"done": 200}, "[web1] Copying /x: 200 B of 100 B (100%), 80 B/s"),
        ({"total": 0, "done": 2**20}, "[web1] Copying /x: 1.0 MiB, 409.6 KiB/s"),
        (
            {"unit": "records", "done": 1500, "total": 9000},
            "[web1] Copying /x: 1,500 of 9,000 (16%), 600 records/s, 12s left",
        ),
        ({"unit": "records", "total": 0}, "[web1] Copying /x: 50 records, 20 records/s"),
        ({"unit": "", "total": 0, "seconds": 0.1}, "[web1] Copying /x: 50"),
        ({"done": 1, "total": 2**62}, "[web1] Copying /x: 1 B of 4.0 EiB (0%), 0 B/s, 11574d2h left"),
    ],
)
def test_a_line_says_how_far_and_how_fast(changes, line):
    assert controller.render("web1", {**RECORD, **changes}) == line


def test_looks_become_rarer():
    assert controller.next_delay(0.5, 0.01) == 1.0
    assert controller.next_delay(100, 0.01) == 5.0
    assert controller.next_delay(10000, 0.01) == 30.0
    assert controller.next_delay(1, 0.5) == 2.0  # a slow link
    assert controller.next_delay(1, 20) == 5.0


MODULE = """#!/usr/bin/python
import os, signal, time
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
module = AnsibleModule({"seconds": {"type": "float"}, "die": {"type": "bool"}, "note": {}})
progress = Progress(os.environ.get("DAY2_PROGRESS", ""))
try:
    progress.start("Working", total=100, unit="records")
    progress.update(25)
    time.sleep(module.params["seconds"])
    if module.params["die"]:
        os.kill(os.getpid(), signal.SIGKILL)
except Cancelled as exc:
    open(module.params["note"], "w").write(str(exc))
module.exit_json(watched="DAY2_PROGRESS" in os.environ)
"""

PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - slow: {seconds: 0}
      register: short
    - slow: {seconds: 10.5}
      register: long
    - slow: {seconds: 0}
      no_log: true
      register: secret
    - slow: {seconds: 600, note: NOTE}
      timeout: 15
      ignore_errors: true
      register: late
    - slow: {seconds: 1.5, die: true}
      ignore_errors: true
      register: killed
    - copy:
        content: "{{ {'short': short, 'long': long, 'secret': secret, 'late': late, 'killed': killed} | to_json }}"
        dest: RESULTS
"""


def environment_for(room):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    environment.update(
        ANSIBLE_COLLECTIONS_PATH=str(Path(controller.__file__).parents[5]),
        ANSIBLE_LOCAL_TEMP=str(room / "local"),
        ANSIBLE_REMOTE_TEMP=str(room / "remote"),
        ANSIBLE_SYSTEM_TMPDIRS="/nonexistent,%s" % (room / "progress"),
        ANSIBLE_PYTHON_INTERPRETER=sys.executable,
        ANSIBLE_INJECT_INVOCATION="1",
        ANSIBLE_NOCOLOR="1",
    )
    return environment


@pytest.fixture(scope="module")
def play(tmp_path_factory):
    """A play with a module whose action plugin is ours: its results, its standard error and where it ran."""
    room = tmp_path_factory.mktemp("play")
    for name in ("library", "action_plugins", "progress"):
        (room / name).mkdir()
    (room / "library" / "slow.py").write_text(MODULE)
    source = Path(controller.__file__).parents[1] / "action" / "backup.py"
    (room / "action_plugins" / "slow.py").write_text(source.read_text())
    playbook = PLAYBOOK.replace("NOTE", str(room / "note")).replace("RESULTS", str(room / "results"))
    (room / "play.yml").write_text(playbook)
    environment = environment_for(room)
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-playbook"),
            "-i",
            "localhost,",
            "-c",
            "local",
            "-vvv",
            str(room / "play.yml"),
        ],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((room / "results").read_text()), done, room


def test_a_long_task_shows_its_progress_on_standard_error(play):
    results, done, _room = play
    assert results["long"]["watched"]
    assert "[localhost] Working: 25 of 100 (25%)" in done.stderr
    assert "[localhost] Working" not in done.stdout


def test_results_do_not_show_the_file(play):
    results, done, _room = play
    assert results["short"]["watched"]
    assert '"seconds": 10.5' in done.stdout  # -vvv shows the arguments
    assert "day2-progress" not in json.dumps(results)


def test_a_secret_task_is_not_watched(play):
    assert play[0]["secret"]["watched"] is False


def test_a_task_that_times_out_is_stopped(play):
    results, _done, room = play
    assert results["late"]["failed"]
    assert wait_for(lambda: (room / "note").exists() and (room / "note").read_text()).startswith("Stopped: ")


def test_a_killed_module_leaves_no_file(play):
    results, _done, room = play
    assert results["killed"]["failed"]
    assert os.listdir(room / "progress") == []


SLOW_START = """#!/usr/bin/python
import os, time
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
module = AnsibleModule({"note": {}})
open(module.params["note"] + ".begun", "w").close()
time.sleep(1.5)
try:
    progress = Progress(os.environ["DAY2_PROGRESS"])
    progress.start("Working")
    time.sleep(600)
    said = "It ran on."
except Cancelled as exc:
    said = str(exc)
with open(module.params["note"] + ".new", "w") as handle:
    handle.write(said)
os.rename(module.params["note"] + ".new", module.params["note"])
module.exit_json()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_a_module_in_its_first_moments_is_stopped_when_ansible_is_killed(tmp_path, number):
    """It has no file yet through which it could be asked."""
    for name in ("library", "action_plugins", "progress"):
        (tmp_path / name).mkdir()
    (tmp_path / "library" / "slow.py").write_text(SLOW_START)
    source = Path(controller.__file__).parents[1] / "action" / "backup.py"
    (tmp_path / "action_plugins" / "slow.py").write_text(source.read_text())
    note = tmp_path / "note"
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [{"slow": {"note": str(note)}}]}]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local"]
    with subprocess.Popen(
        [*command, str(tmp_path / "play.yml")],
        env=environment_for(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_for((tmp_path / "note.begun").exists)
        process.send_signal(number)
        process.wait(PATIENCE)
    wait_for(note.exists)
    assert note.read_text() == "Stopped: the controller requested it."
