# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled
from ansible_collections.day2.ops.plugins.module_utils._core.progress import RECORD_SIZE, Progress, waiting
from tests.services.waiting import PATIENCE, wait_for


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "progress")


@pytest.fixture
def progress(path):
    instance = Progress(path)
    yield instance
    instance.close()


def read(path):
    with open(path, "rb") as handle:
        data = handle.read()
    assert len(data) == RECORD_SIZE
    return json.loads(data.splitlines()[0])


class Child:
    """A program of its own, as a module is: signals and its standard output are the point."""

    def __init__(self, path, code):
        imports = "import os, signal, sys, time\nfrom %s import Progress\nfrom %s import Cancelled\n"
        program = imports % (Progress.__module__, Cancelled.__module__) + textwrap.dedent(code)
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, path],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
        )

    def wait_for_line(self):
        return self.process.stdout.readline().strip()

    def rest(self):
        out, err = self.process.communicate(timeout=PATIENCE)
        return out.split(), err


# A child that waits in a sleep until it is told to stop, and says what it saw.
SLEEPER = """
    progress = Progress(sys.argv[1])
    progress.start("Waiting")
    try:
        print("ready", flush=True)
        time.sleep(600)
    except Cancelled as exc:
        progress.check()  # told once: what undoes the work may report too
        progress.start("Undoing")
        time.sleep(0.3)
        print(exc, file=sys.stderr)
        sys.exit(3)
"""


ALL = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def test_without_a_file_nothing_is_watched_or_written(tmp_path):
    handlers = [signal.getsignal(number) for number in ALL]
    threads = set(threading.enumerate())
    progress = Progress()
    progress.start("Copying", total=3, unit="bytes")
    progress.update(1)
    progress.advance(2)
    with progress.critical():
        progress.check()
    assert set(threading.enumerate()) <= threads  # those of other tests may have ended
    progress.close()
    assert [signal.getsignal(number) for number in ALL] == handlers


def test_who_never_closes_it_gets_the_signals_back():
    handlers = [signal.getsignal(number) for number in ALL]
    progress = Progress()
    assert [signal.getsignal(number) for number in ALL] != handlers
    del progress
    assert [signal.getsignal(number) for number in ALL] == handlers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_outside_of_ansible_a_signal_stops_the_work_too(number):
    child = Child("", SLEEPER)
    assert child.wait_for_line() == "ready"
    child.process.send_signal(number)
    _out, err = child.rest()
    assert (err, child.process.returncode) == (f"Stopped: it received {number.name}.\n", 3)


def test_outside_of_ansible_a_program_has_its_own_way_with_signals():
    code = """
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(7))
        progress = Progress()
        progress.start("Waiting")
        print("ready", flush=True)
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(600)
    """
    child = Child("", code)
    assert child.wait_for_line() == "ready"
    child.process.send_signal(signal.SIGTERM)
    assert (child.rest()[1], child.process.returncode) == ("", 7)


def test_a_record_says_how_far_the_work_is(progress, path):
    with open(path, "rb") as handle:
        assert handle.read().strip() == b""  # before the first phase
    progress.start("Copying /x", total=10, unit="bytes")
    first = read(path)
    assert (first["label"], first["total"], first["unit"], first["done"]) == ("Copying /x", 10, "bytes", 0)
    progress.update(4)
    progress.advance(3)
    wait_for(lambda: read(path)["done"] == 7)
    second = read(path)
    assert second["n"] == second["z"] > first["n"]
    assert 0 < second["seconds"] < 60
    assert (list(second)[:1], list(second)[-1:]) == (["n"], ["z"])
    progress.start("Reading back")
    assert (read(path)["label"], read(path)["total"], read(path)["done"]) == ("Reading back", None, 0)


def test_what_says_nothing_new_is_not_written(progress, path):
    progress.start("Copying")
    before = read(path)
    time.sleep(0.6)
    assert read(path) == before


class Slow(int):
    """A number to which nothing can be added without another thread having its turn."""

    def __radd__(self, other):
        time.sleep(0.0001)
        return int(other) + int(self)


def test_worker_threads_may_report(progress, path):
    progress.start("Copying", total=600)

    def work(_number):
        for dummy in range(200):
            progress.advance(Slow(1))

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, range(3))) == [None] * 3
    wait_for(lambda: read(path)["done"] == 600)


def test_a_label_is_cleaned_cut_and_fits(path):
    progress = Progress(path, clean=lambda text: text.replace("s3cret", "********"))
    try:
        progress.start("\x1b[31ms3cret\n\udc80 \U0001f600" + "\U0001f600\\" * 200, total=10**18, unit="\u20ac" * 50)
        record = read(path)
    finally:
        progress.close()
    assert record["label"].startswith(" [31m********   \U0001f600")
    assert (len(record["label"]), len(record["unit"])) == (120, 20)


def test_the_first_candidate_that_can_be_created_is_used(tmp_path):
    ours = tmp_path / "ours"
    target = tmp_path / "target"
    taken, link = tmp_path / "taken", tmp_path / "link"
    taken.write_text("somebody else's")
    link.symlink_to(target)
    candidates = [
        "relative",
        str(tmp_path / "missing" / "file"),
        str(taken),
        str(link),
        str(ours),
        str(tmp_path / "not"),
    ]
    progress = Progress(":".join(candidates))
    progress.start("Copying")
    assert read(ours)["label"] == "Copying"
    assert os.stat(ours).st_mode & 0o777 == 0o644  # the login user looks without becoming another
    progress.close()
    progress.close()
    assert taken.read_text() == "somebody else's"
    assert sorted(os.listdir(tmp_path)) == ["link", "taken"]


def test_close_leaves_what_somebody_put_in_its_place(progress, path):
    os.unlink(path)
    with open(path, "w") as handle:
        handle.write("not ours")
    progress.close()
    with open(path) as handle:
        assert handle.read() == "not ours"


def test_close_gives_the_signals_back(path):
    before = signal.getsignal(signal.SIGTERM)
    progress = Progress(path)
    assert signal.getsignal(signal.SIGTERM) != before
    progress.close()
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_file_goes_when_the_program_ends(path):
    child = Child(path, "Progress(sys.argv[1]).start('x')\nprint(os.path.exists(sys.argv[1]))\nsys.exit(1)")
    assert child.rest()[0] == ["True"]
    assert not os.path.exists(path)


def test_a_longer_file_wakes_the_work_and_stops_it(path):
    child = Child(path, SLEEPER)
    assert child.wait_for_line() == "ready"
    with open(path, "ab") as handle:
        handle.write(b".")
    _out, err = child.rest()
    assert err == "Stopped: the controller requested it.\n"
    assert child.process.returncode == 3
    assert not os.path.exists(path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_stops_the_work(path, number):
    child = Child(path, SLEEPER)
    assert child.wait_for_line() == "ready"
    child.process.send_signal(number)
    _out, err = child.rest()
    assert err == f"Stopped: it received {number.name}.\n"
    assert child.process.returncode == 3


def test_what_comes_at_once_stops_it_once(path):
    child = Child(path, SLEEPER)
    assert child.wait_for_line() == "ready"
    child.process.send_signal(signal.SIGHUP)
    child.process.send_signal(signal.SIGTERM)
    child.process.stdout.close()
    err = child.process.stderr.read()
    assert err.startswith("Stopped: ")  # whichever came first
    assert err.count("\n") == 1
    assert child.process.wait(PATIENCE) == 3


def test_a_limit_stops_what_takes_longer_and_says_how_far_it_came():
    progress = Progress()
    progress.start("Copying /x", 4_000_000, "bytes")
    progress.advance(1_000_000)
    with pytest.raises(
        Cancelled, match=r"timeout \(250ms\) was exceeded during: Copying /x, 976\.6 KiB of 3\.8 MiB done"
    ):
        with progress.limited(0.25):
            time.sleep(600)


def test_a_limit_that_is_not_reached_stops_nothing():
    progress = Progress()
    before = set(threading.enumerate())
    for seconds in (None, 600):
        with progress.limited(seconds):
            pass
    for thread in set(threading.enumerate()) - before:  # nothing is left that could stop it
        thread.join(PATIENCE)
        assert not thread.is_alive()
    progress.check()


def test_a_commit_is_finished_before_a_limit_stops_the_work():
    progress, done = Progress(), []
    with pytest.raises(Cancelled, match="timeout"), progress.critical():
        with progress.limited(0.05):
            wait_for(lambda: progress._reason)
            done.append(1)
    assert done == [1]


def test_what_is_waited_for_is_shown_until_it_goes_on(progress, path):
    progress.start("Copying x", 10, "bytes")
    waiting("the server is throttling requests")
    wait_for(lambda: read(path)["label"] == "Copying x (the server is throttling requests)")
    progress.advance(1)
    wait_for(lambda: read(path)["label"] == "Copying x")


def test_a_controller_that_goes_away_stops_the_work(path):
    child = Child(path, SLEEPER)
    assert child.wait_for_line() == "ready"
    child.process.stdout.close()
    assert child.process.stderr.read() == "Stopped: the controller disconnected.\n"
    assert child.process.wait(PATIENCE) == 3


def test_a_removed_file_stops_nothing(path):
    child = Child(
        path,
        """
        progress = Progress(sys.argv[1])
        progress.start("Copying")
        os.unlink(sys.argv[1])  # a cleaner of /tmp
        time.sleep(0.6)
        progress.update(1)
        progress.check()
        print(os.path.exists(sys.argv[1]))
        """,
    )
    assert child.rest() == (["False"], "")
    assert child.process.returncode == 0


def test_a_commit_is_finished_first(path, tmp_path):
    child = Child(
        path,
        f"""
        progress = Progress(sys.argv[1])
        progress.start("Committing")
        try:
            with progress.critical():
                with progress.critical():
                    print("ready", flush=True)
                    while not os.path.exists({str(tmp_path / "told")!r}):
                        time.sleep(0.01)
                    progress.update(1)
                    progress.check()
                print("inner", flush=True)
            print("not-here")
        except Cancelled:
            print("cancelled")
        """,
    )
    assert child.wait_for_line() == "ready"
    child.process.send_signal(signal.SIGTERM)
    (tmp_path / "told").touch()
    assert child.rest()[0] == ["inner", "cancelled"]


def test_a_commit_that_fails_says_why(path):
    child = Child(
        path,
        """
        progress = Progress(sys.argv[1])
        try:
            with progress.critical():
                os.kill(os.getpid(), signal.SIGTERM)
                raise KeyError("disk")
        except KeyError:
            print("failed")
        try:
            progress.update(1)
        except Cancelled:
            print("cancelled")
        """,
    )
    assert child.rest()[0] == ["failed", "cancelled"]


def test_a_worker_thread_is_told_too(path):
    child = Child(
        path,
        """
        import threading
        def work():
            try:
                while True:
                    progress.advance(1)
                    time.sleep(0.01)
            except Cancelled:
                print("worker", flush=True)
        progress = Progress(sys.argv[1])
        thread = threading.Thread(target=work)
        thread.start()
        try:
            print("ready", flush=True)
            time.sleep(600)
        except Cancelled:
            thread.join()
            print("main")
        """,
    )
    assert child.wait_for_line() == "ready"
    child.process.send_signal(signal.SIGTERM)
    assert child.rest()[0] == ["worker", "main"]


def test_what_is_over_is_not_cancelled(path):
    child = Child(
        path,
        """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        progress = Progress(sys.argv[1])
        try:
            with progress.critical():
                os.kill(os.getpid(), signal.SIGHUP)
                raise KeyError("disk")
        except KeyError:
            progress.close()
        progress.update(1)
        progress = Progress(sys.argv[1])
        progress.close()
        os.kill(os.getpid(), signal.SIGTERM)
        progress.update(1)
        print("alive")
        """,
    )
    assert child.rest() == (["alive"], "")


def test_a_closed_standard_output_is_not_watched_for_ever(path):
    child = Child(
        path,
        """
        os.close(1)
        progress = Progress(sys.argv[1])
        progress.start("Waiting")
        began = time.process_time()
        time.sleep(1)
        print(time.process_time() - began < 0.5, file=sys.stderr)
        """,
    )
    assert child.rest()[1].startswith("True")


def test_who_closes_the_standard_output_is_not_disconnected(path):
    child = Child(
        path,
        """
        progress = Progress(sys.argv[1])
        progress.start("Waiting")
        os.close(1)
        began = time.process_time()
        time.sleep(0.6)
        progress.update(1)
        print(time.process_time() - began < 0.3, file=sys.stderr)
        """,
    )
    assert child.rest()[1].startswith("True")


def test_a_full_disk_is_not_a_failure(progress, path, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    progress.start("Copying")
    monkeypatch.setattr(os, "pwrite", full)
    progress.start("Reading back")
    progress.update(3)
    assert not os.path.exists(path)
