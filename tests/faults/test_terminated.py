# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verb in a program of the host's, outside of Ansible, that is told to end in the middle of its work."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.day2.ops.tests.faults import verb
from ansible_collections.day2.ops.tests.faults.support import COLLECTIONS, backups


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_backup_cleans_up(repository: Path, tmp_path: Path, number: signal.Signals) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "large").write_bytes(os.urandom(1 << 20) * 200)
    params = {"name": "app", "source": {"type": "files", "path": str(tree)}, "repository": str(repository)}
    params["compression"] = "xz"  # it takes its time
    ours, theirs = socket.socketpair()
    command = [sys.executable, verb.__file__, "backup", json.dumps(params), str(theirs.fileno())]
    environment = dict(os.environ, PYTHONPATH=str(COLLECTIONS))
    with ours, subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        deadline = time.monotonic() + 60
        while not list(repository.glob("app/.staging-*/data")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        report = b"".join(iter(lambda: ours.recv(65536), b""))
        process.wait(60)
    status, error, _result = json.loads(report)
    assert (status, error) == (3, f"Stopped: it received {number.name}.")
    assert not list(repository.glob("app/.staging-*"))
    assert backups(repository) == []
