# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notifies applications that their logs were rotated."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import stat
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

from .._core.errors import InvalidRequest, MissingDependency, TargetError
from .._core.processes import Process
from .._core.programs import environment

_OUTPUT = 500  # characters of the output of a command in a message

Command = tuple[str, ...]


class Notification(NamedTuple):
    """The commands and notifications. The commands of `each` may contain {path} and {rotated}."""

    before: tuple[Command, ...] = ()
    before_each: tuple[Command, ...] = ()
    after_each: tuple[Command, ...] = ()
    before_remove: tuple[Command, ...] = ()
    after: tuple[Command, ...] = ()
    signal: Optional[tuple[str, signal.Signals]] = None  # PID file, signal
    service: Optional[str] = None
    timeout: float = 10.0

    @property
    def has_commands(self) -> bool:
        """Whether a command is run before the signal is sent or the service is reloaded."""
        return bool(self.before or self.before_each or self.after_each or self.after)

    def commands(self, rotates: bool, removes: bool) -> list[Command]:
        """The commands that run when logs are rotated, and when rotated files are removed."""
        around = [*self.before, *self.before_each, *self.after_each, *self.after] if rotates else []
        return around + list(self.before_remove if removes else ())

    @property
    def reopens(self) -> bool:
        """Whether a process is notified to reopen its log."""
        return bool(self.signal or self.service or self.after or self.after_each)


def signal_number(name: str) -> signal.Signals:
    """The number of "HUP", "SIGHUP" or a number. Raises InvalidRequest when there is no such signal."""
    text = name.strip().upper()
    try:
        return signal.Signals(int(text)) if text.isdigit() else signal.Signals["SIG" + text.replace("SIG", "", 1)]
    except (KeyError, ValueError) as exc:
        raise InvalidRequest(f"The signal {name} does not exist.", "Write for example HUP or USR1.") from exc


def run_commands(commands: Sequence[Command], words: Optional[Mapping[str, str]] = None) -> None:
    """Run commands, each only if the previous one has succeeded.

    Raises TargetError, with the log, the exit status and the end of the output, when one has failed.

    :param words: the values of {path} and {rotated}.
    """
    for command in commands:
        argv = [_filled(word, words or {}) for word in command]
        try:
            done = subprocess.run(  # pylint: disable=ansible-bad-function
                argv,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except (OSError, ValueError) as exc:  # a NUL in a word
            raise TargetError(f"Can't run {argv[0]}: {getattr(exc, 'strerror', '') or exc}.") from exc
        if done.returncode != 0:
            said = done.stdout.decode(errors="replace").strip()[-_OUTPUT:]
            log = f"{words['path']}: the" if words else "The"
            raise TargetError(
                f"{log} command {argv[0]} failed with exit status {done.returncode}{f': {said}' if said else '.'}"
            )


def check_programs(commands: Sequence[Command]) -> None:
    """Raise TargetError when the program of a command does not exist, or can't be run."""
    for command in commands:
        program, path = command[0], environment()["PATH"]
        if "{" in program or shutil.which(program, path=path):  # {path} and {rotated} are unknown at this point
            continue
        exists = os.path.exists(program) or shutil.which(program, os.F_OK, path)
        why = errno.EACCES if exists else errno.ENOENT
        raise TargetError(
            f"Can't run {program}: {os.strerror(why)}.",
            "Nothing was rotated or removed. Install the program, or correct its path.",
        )


def notify(how: Notification) -> None:
    """Run the commands that follow a rotation, signal the process, reload the service. Raises Day2Error when one
    fails."""
    run_commands(how.after)
    if how.signal is not None:
        _signal(*how.signal)
    if how.service is not None:
        _reload(how.service)


def _filled(word: str, words: Mapping[str, str]) -> str:
    """All at once: a log may be called {rotated}.log."""
    return re.sub(r"\{{({})\}}".format("|".join(words)), lambda match: words[match[1]], word) if words else word


def check_notify(how: Notification) -> None:
    """Raise Day2Error when `notify` would predictably fail. Sends nothing."""
    if how.signal is not None:
        _signal(how.signal[0], 0)
    if how.service is not None:
        _reloader(how.service)


def _signal(pid_file: str, number: int) -> None:
    pid = _read_pid(pid_file)
    try:
        os.kill(pid, number)
    except ProcessLookupError as exc:
        raise TargetError(
            f"{pid_file} names process {pid}, which is not running.", "Start the application, or set another PID file."
        ) from exc
    except PermissionError as exc:
        raise TargetError(
            f"No permission to send a signal to process {pid} ({pid_file}).", "Run as root (become: true)."
        ) from exc


def _read_pid(pid_file: str) -> int:
    """The process. A file that an unprivileged user can write can only name processes of that user."""
    try:
        fd = os.open(pid_file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        raise TargetError(
            f"Can't read the PID file {pid_file}: {exc.strerror}.", "Start the application, or set another PID file."
        ) from exc
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise TargetError(
                f"The PID file {pid_file} is not a regular file.", "Set the file that contains the process ID."
            )
        text = os.read(fd, 64).decode("ascii", "replace").strip()
    finally:
        os.close(fd)
    if not text.isdigit() or not 2 <= int(text) < 1 << 31:
        raise TargetError(f"The PID file {pid_file} does not contain a process ID: {text!r}.")
    trusted = info.st_uid in (0, os.geteuid()) and not info.st_mode & 0o022
    if not trusted:
        try:
            owner = Process(int(text)).owner()
        except OSError as exc:
            raise TargetError(f"{pid_file} names process {text}, which is not running.") from exc
        if info.st_mode & 0o022 or owner != info.st_uid:
            raise TargetError(
                f"Users other than root can write the PID file {pid_file}, and process {text} is not theirs. No "
                "signal was sent."
            )
    return int(text)


def _reload(service: str) -> None:
    run_commands([_reloader(service)])


def _reloader(service: str) -> Command:
    path = environment()["PATH"]
    if os.path.isdir("/run/systemd/system") and shutil.which("systemctl", path=path):
        return "systemctl", "reload", service
    if shutil.which("service", path=path):
        return "service", service, "reload"
    if shutil.which("rc-service", path=path):
        return "rc-service", service, "reload"
    raise MissingDependency(
        "The program systemctl or service", f"to reload {service}", "Set signal with a PID file, or after, instead."
    )
