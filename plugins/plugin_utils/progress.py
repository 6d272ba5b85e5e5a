# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of live progress.

The module runs exactly as ansible-core would run it, in the worker's main thread. Beside it, a thread reads the
progress file (module_utils/_core/progress.py has the contract) over a connection of its own; with ssh that is one more
session of the same master connection. The first look comes after a second: a shorter task pays nothing.
"""

from __future__ import annotations

import contextvars
import copy
import json
import multiprocessing
import os
import secrets
import shlex
import signal
import threading
import time
from pathlib import Path
from typing import Any, Optional

from ansible import constants as C
from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import module_loader
from ansible.utils.display import Display
from ansible.utils.vars import merge_hash

from ..module_utils._core.progress import VARIABLE as PROGRESS_VARIABLE
from ..module_utils._core.role_variables import VARIABLE as ROLE_VARIABLE
from ..module_utils._core.role_variables import packed
from ..module_utils._core.units import format_duration, format_size
from .payload import payload
from .role_names import warnings_of

_FIRST_LOOK = 1.0  # seconds
_LONGEST_DELAY = 30.0
_PARENT_LOOK = 0.2  # between two looks whether ansible-playbook is still there, which cost nothing
_FAILED_LOOKS = 3  # in a row, then no more
_LAST_WORD = 5.0  # seconds that a look in flight, or the last command, may take

# One process a command and no shared socket: safe to use twice at once.
_CONNECTIONS = ("ansible.builtin.ssh", "ansible.builtin.local")

_CANCEL = "test -f {0} && test -w {0} && echo . >> {0}"
_REMOVE = "rm -f {0}"

display = Display()


class ProgressActionBase(ActionBase):
    """Runs the module of the task's name and shows its progress. With `no_log` or `async` nothing is shown."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        wrap_async = self._task.async_val and not getattr(self._connection, "has_native_async", False)
        environment = self._task.environment
        if self._task._role is not None:
            self._task.environment = [*(environment or []), {ROLE_VARIABLE: _role_variables(self._task._role)}]
        try:
            if self._task.no_log or self._task.async_val or self._connection.ansible_name not in _CONNECTIONS:
                result = merge_hash(result, self._execute_module(task_vars=task_vars, wrap_async=wrap_async))
            else:
                result = merge_hash(result, self._run_watched(task_vars or {}))
        finally:
            self._task.environment = environment
        if self._task._role is not None:
            warnings = warnings_of(self._task._role, task_vars or {})
            if warnings:
                result["warnings"] = [*result.get("warnings", []), *warnings]
        if not wrap_async:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _execute_module(self, module_name: Optional[str] = None, **options: Any) -> dict[str, Any]:
        """Without a name: the module of the task, with only the code that its arguments need."""
        if module_name is None:
            action = type(self).__module__.rpartition(".")[2]
            source = Path(__file__).parents[1] / "modules" / f"{action}.py"
            path = payload(source, self._task.args, Path(C.DEFAULT_LOCAL_TMP))
            if path is not None:
                module_loader.add_directory(str(path.parent))
                module_name = f"ansible.legacy.{path.stem}"  # in roles of collections, others are not looked for
        result: dict[str, Any] = super()._execute_module(module_name=module_name, **options)
        return result

    def _run_watched(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        name = ".day2-progress-" + secrets.token_hex(16)
        directories = self.get_shell_option("system_tmpdirs", ["/var/tmp", "/tmp"])  # noqa: S108 the name is random
        paths = [os.path.join(directory, name) for directory in directories if ":" not in directory]
        environment = self._task.environment
        # not an option of the module: it would have to be documented, and would stand in every invocation
        self._task.environment = [*(environment or []), {PROGRESS_VARIABLE: ":".join(paths)}]
        watcher = _Watcher(self, paths, _host(task_vars, self._task.delegate_to))
        watcher.start()
        # `timeout:` or Ctrl-C: the module must not go on without us
        last_word = _CANCEL
        try:
            result: dict[str, Any] = self._execute_module(task_vars=task_vars)
            # one that was killed could not remove its file
            last_word = _REMOVE if "module_stdout" in result else ""
        except AnsibleConnectionFailure:
            # no second wait for a dead host; the module sees its standard output close
            last_word = ""
            raise
        finally:
            self._task.environment = environment
            watcher.stop(last_word)
        return result


def _role_variables(role: Any) -> str:
    return packed(role.get_name(include_role_fqcn=False), role.get_default_vars())


class _Watcher:
    """Looks at the progress file now and then, and shows what it says."""

    def __init__(self, action: ActionBase, paths: list[str], host: str) -> None:
        self._paths, self._host = paths, host
        self._stopped = threading.Event()
        self._last_word = ""
        # The standard output of ansible-playbook may be buffered (a pipe) or JSON (a callback), standard error is
        # neither. Except under ansible-runner and AWX, which make an event of every line on standard output.
        self._stderr = not str(C.DEFAULT_STDOUT_CALLBACK).endswith("awx_display")
        # Connection, shell and become keep the state of the command that runs, so none of them is shared.
        self._action = copy.copy(action)
        connection = self._action._connection = copy.copy(action._connection)
        connection._shell = copy.copy(connection._shell)
        connection.become = copy.copy(connection.become)
        connection._options = dict(connection._options)
        if connection.transport == "ssh":
            connection.set_option("reconnection_retries", 0)
            # Use the master connection, never become it: what this thread starts inherits its signal mask.
            connection.set_option("ssh_args", "-o ControlMaster=no " + (connection.get_option("ssh_args") or ""))
        # Ansible's task context does not follow into a thread by itself.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._loop,), name="day2-progress", daemon=True)

    def start(self) -> None:
        # A signal that the kernel hands to this thread would not wake the main thread, which waits for the module:
        # Ctrl-C and `timeout:` would be lost now and then. The new thread inherits the mask.
        signals = {signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGHUP, signal.SIGCHLD}
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        try:
            self._thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def stop(self, last_word: str) -> None:
        """End the thread, after a last command on the files. Waits: the worker must not exit while the thread
        holds the lock of the queue that display lines go through."""
        self._last_word = last_word
        self._stopped.set()
        self._thread.join(_LAST_WORD)

    def _loop(self) -> None:
        started, delay = time.monotonic(), _FIRST_LOOK
        failed, shown = 0, 0
        while failed < _FAILED_LOOKS and not self._ended_within(delay):
            before = time.monotonic()
            try:
                text = self._run(f"cat {' '.join(map(shlex.quote, self._paths))} 2>/dev/null || :", sudoable=False)
                failed = 0
            except AnsibleAuthenticationFailure:
                return  # an account locked for the sake of a progress line
            except Exception as exc:  # the main thread reports its own
                display.vvv(f"progress: {exc}", host=self._host)
                text, failed = "", failed + 1
            record = parse_record(text)
            if record and record["n"] != shown and not self._stopped.is_set():
                shown = record["n"]
                display.display(render(self._host, record), stderr=self._stderr)
            delay = next_delay(time.monotonic() - started, time.monotonic() - before)
        while not self._ended_within(_LONGEST_DELAY):
            pass
        if self._last_word:
            self._on_files(self._last_word)

    def _ended_within(self, seconds: float) -> bool:
        """Wait for the end of the task, at most so long. One that nobody is left to hear of is ended."""
        end = time.monotonic() + seconds
        while not self._stopped.wait(min(_PARENT_LOOK, max(0.0, end - time.monotonic()))):
            if _orphaned():
                self._insist()
                return True
            if time.monotonic() >= end:
                return False
        return True

    def _insist(self) -> None:
        """Ask the module to stop until it has ended: in its first moments there is no file yet to ask it through."""
        while True:
            self._on_files(_CANCEL)
            if self._stopped.wait(_FIRST_LOOK):
                return

    def _run(self, command: str, sudoable: bool) -> str:
        text: str = self._action._low_level_execute_command(command, sudoable=sudoable)["stdout"]
        return text

    def _on_files(self, template: str) -> None:
        # they belong to the become user, or (root through sudo) to the login user
        command = " ; ".join(template.format(shlex.quote(path)) for path in self._paths)
        for sudoable in (True, False) if self._action._connection.become else (False,):
            try:
                self._run(command, sudoable)
            except Exception as exc:
                display.vvv(f"progress: {exc}", host=self._host)


def _orphaned() -> bool:
    """Was ansible-playbook killed? Its workers live on, unheard."""
    parent = multiprocessing.parent_process()
    return bool(parent and parent.pid != os.getppid())


def next_delay(elapsed: float, cost: float) -> float:
    """Seconds to the next look: 1 at first, then 5 % of the time so far, at most 30; less often on a slow link."""
    return min(_LONGEST_DELAY, max(_FIRST_LOOK, elapsed * 0.05, min(5.0, cost * 4)))


def parse_record(text: str) -> Optional[dict[str, Any]]:
    """The record in what was read of the candidates, or None. It comes from the target: nothing is believed."""
    line = next((line for line in text.split("\n") if line.startswith("{") and len(line) <= 4096), "")
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("n") != record.get("z"):
        return None
    numbers: list[Any] = [record.get("n"), record.get("done"), record.get("seconds"), record.get("total") or 0]
    if not all(type(number) in (int, float) and 0 <= number < 2**63 for number in numbers):
        return None
    texts = {key: str(record.get(key) or "") for key in ("label", "unit")}
    # no terminal escapes, and nothing that looks like another host's line
    texts = {key: "".join(char if char.isprintable() else " " for char in text)[:120] for key, text in texts.items()}
    return {**dict(zip(("n", "done", "seconds", "total"), numbers)), **texts}


def render(host: str, record: dict[str, Any]) -> str:
    """The line to show: "[web1] Copying /var/lib/app.db: 120.0 MiB of 359.0 MiB (33%), 160.0 MiB/s, 2s left"."""
    done, total, seconds, unit = record["done"], record["total"], record["seconds"], record["unit"]

    def amount(number: float) -> str:
        return format_size(int(number)) if unit == "bytes" else f"{number:,.0f}"

    parts = [amount(done)]
    if total:
        parts[0] += f" of {amount(total)} ({min(100, 100 * done // total):.0f}%)"
    elif unit != "bytes":
        parts[0] = (f"{parts[0]} {unit}").rstrip()
    if done and seconds >= 0.5:
        parts.append(amount(done / seconds) + ("/s" if unit == "bytes" else f" {unit or 'items'}/s"))
        if done < total:
            parts.append(format_duration(max(1, round(min(1e9, (total - done) * seconds / done)))) + " left")
    return f"[{host}] {record['label']}: {', '.join(parts)}"


def _host(task_vars: dict[str, Any], delegate_to: Optional[str]) -> str:
    host = str(task_vars.get("inventory_hostname", "?"))
    return f"{host} -> {delegate_to}" if delegate_to else host
