# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether anything was written to a cluster since the last look: by psql, which needs a tenth of the time of a driver.

Equal means that no transaction has written anywhere in the cluster, that the server was not started again and has not
recovered (unlogged tables, and copies of its files), and that no sequence of the databases has moved, which needs no
transaction.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
from collections.abc import Sequence
from typing import Any, Optional

from ...._core.errors import Day2Error
from ...._core.scratch import scratch_directory
from .databases import NAMES
from .programs import any_psql
from .server import Server, quoted

# A standby does not tell which transactions are under way, so that all that it has replayed counts. A server that
# recovers from the crash of a session is not started again, but its checkpointer is (which some roles may not see).
_CLUSTER = """SELECT json_build_array((pg_control_system()).system_identifier::text,
  CASE WHEN pg_is_in_recovery() THEN 'standby ' || pg_last_wal_replay_lsn()
    ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,
  pg_postmaster_start_time()::text, pg_current_snapshot()::text,
  (SELECT max(backend_start)::text FROM pg_stat_activity WHERE backend_type = 'checkpointer'));"""
_DATABASE = """SELECT json_build_array((SELECT oid::text FROM pg_database WHERE datname = current_database()),
  (SELECT sum(hashtextextended(s.seqrelid || ' ' || coalesce(pg_sequence_last_value(s.seqrelid), 0), 0))::text
   FROM pg_sequence s JOIN pg_class k ON k.oid = s.seqrelid WHERE k.relpersistence <> 't'));"""

_LISTING = f"SELECT coalesce(json_agg(datname ORDER BY datname), '[]') FROM ({NAMES}) d;"  # noqa: S608 ours


def fingerprint(server: Server, databases: Optional[Sequence[str]]) -> Optional[str]:
    """The identity of the cluster and these databases (None: all); None if it can't be told."""
    program = any_psql(server.options.get("bin"))
    if program is None:
        return None
    with contextlib.suppress(Day2Error, OSError, ValueError), contextlib.ExitStack() as stack:
        secret = server.options.get("password") is not None
        scratch = stack.enter_context(scratch_directory()) if secret else ""
        return _ask(server, program, scratch, databases)
    return None


def _ask(server: Server, program: str, scratch: str, databases: Optional[Sequence[str]]) -> Optional[str]:
    argv = [
        program,
        "-X",
        "-w",
        "-q",
        "-A",
        "-t",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        f"{server.conninfo(None, scratch)} client_encoding=UTF8",
    ]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = server.start(argv, **streams)
    try:
        with process:
            answers = _answers(process.stdin, process.stdout, databases)
            if process.wait() != 0:
                return None
    except BrokenPipeError:
        return None
    finally:
        if process.poll() is None:
            process.kill()
    return hashlib.sha256(b"".join(answers)).hexdigest()


def _answers(ask: Any, told: Any, databases: Optional[Sequence[str]]) -> list[bytes]:
    """One line for the cluster, one with its databases, and one for each of the databases."""
    ask.write(f"{_CLUSTER}\n{_LISTING}\n".encode())
    ask.flush()
    answers = [told.readline(), told.readline()]
    for name in json.loads(answers[1] or "[]") if databases is None else databases:
        ask.write(f"{_connect(name)}\n{_DATABASE}\n".encode())
    ask.close()
    return answers + list(told.readlines())


def _connect(database: str) -> str:
    """The command of psql: a connection string in its quotes, or a name such as `a=b` would be taken for one."""
    inner = f"dbname={quoted(database)}"
    escaped = inner.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"\\connect -reuse-previous=on '{escaped}'"
