# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""day2: runs the jobs of this host, which are described in /etc/day2/jobs/NAME.json, without Ansible.

  day2 run NAME [--check]   run a job; with --due EVERY, only if it has not run in the current interval;
                            with --anyway, whatever window, load and power are; with --settle, once its
                            data is no longer written, and again if it has changed meanwhile
  day2 list                 the jobs, and how each ended last
  day2 status [NAME...]     1 if a job has failed, is late or has never run
  day2 check [NAME...]      check job files, and the secrets and programs that they need
  day2 notify NAME --test   send a test message to all that the job pings and notifies
  day2 explain NAME         what a job does, with all defaults and where its secrets come from
  day2 schema [VERB...]     JSON Schema of job files

exit status: 0 done, 1 failed, 64 wrong use of this program, 70 a bug, 75 not run, as another run of the job is in
progress or its conditions are not met, 78 a job file or credential is missing or not valid
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn, Optional

from .._core.errors import InvalidRequest, TaskEnded
from .._core.version import VERSION
from .._verbs.registry import VERBS
from .output import complain

USAGE, FAILED, WRONG = 64, 1, 78


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def main(argv: Optional[Sequence[str]] = None) -> int:
    """The exit status."""
    options = _parser().parse_args(argv)
    try:
        if options.command == "run":
            from .run import run, run_if_due, run_settled

            if options.settle:
                return run_settled(options.name)
            if options.due:
                return run_if_due(options.name, options.due, options.splay)
            return run(options.name, options.check, options.anyway)
        if options.command == "record-failure":
            from .ended import record_failure

            return record_failure(options.name)
        if options.command == "notify":
            return _notify(options)
        if options.command == "changed":
            return _changed(options.name)
        if options.command == "forget-removed":
            from .ended import forget_removed

            return forget_removed()
        if options.command == "metrics":
            from .ended import write_metrics

            return write_metrics()
        return _show(options)
    except InvalidRequest as exc:
        complain(exc)
        return WRONG
    except TaskEnded as exc:
        complain(exc)
        return FAILED


def _changed(name: str) -> int:
    from .job import WrongJob
    from .on_change import CHANGED, changed

    try:
        return changed(name)
    except WrongJob:  # the run reports it
        return CHANGED


def _notify(options: argparse.Namespace) -> int:
    from . import notify
    from .job import load

    if not options.name:
        return notify.all_due()
    if options.test:
        return notify.test(load(options.name))
    return (notify.started if options.started else notify.ended)(load(options.name))


def _show(options: argparse.Namespace) -> int:
    from . import show

    if options.command == "list":
        return show.list_jobs()
    if options.command == "status":
        return show.status(options.names)
    if options.command == "check":
        return show.check_jobs(options.names)
    if options.command == "explain":
        return show.explain(options.name)
    return show.print_schema(options.verbs)


def _parser() -> _Parser:
    parser = _Parser("day2", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"day2 {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    one = commands.add_parser("run")
    one.add_argument("name")
    how = one.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="report what the run would do; record nothing")
    how.add_argument("--due", metavar="EVERY", help="for cron: run only if the last run is longer ago than EVERY")
    how.add_argument("--settle", action="store_true", help="for on_change: wait until nothing writes to the data")
    how.add_argument("--anyway", action="store_true", help="run regardless of window, load and power supply")
    one.add_argument(
        "--splay", default="0", metavar="TIME", help="with --due: start up to TIME later, always at the same offset"
    )
    commands.add_parser("record-failure").add_argument("name")  # of systemd, so it is not in the help
    commands.add_parser("changed").add_argument("name")  # of systemd
    commands.add_parser("forget-removed")  # of the role
    commands.add_parser("metrics")  # of the role
    told = commands.add_parser("notify")
    told.add_argument(
        "name", nargs="?", default="", help="default: all jobs that are late or have unsent notifications"
    )
    what = told.add_mutually_exclusive_group()
    what.add_argument("--test", action="store_true", help="send a test message")
    what.add_argument(
        "--started", action="store_true", help="used by systemd: report the start of the run instead of its end"
    )
    commands.add_parser("list")
    commands.add_parser("explain").add_argument("name")
    for command in ("status", "check"):
        commands.add_parser(command).add_argument("names", nargs="*", metavar="NAME")
    commands.add_parser("schema").add_argument("verbs", nargs="*", choices=[[], *sorted(VERBS)], metavar="VERB")
    return parser
