# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives the program rclone: the options, one call, and what its errors mean.

Settings reach it in its environment, never as arguments, which every user of the host can see.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, NamedTuple, NoReturn, Optional, Union

from .errors import Interrupted, InvalidRequest, MissingDependency, NoSpace, Unreachable
from .programs import environment
from .rclone_options import ADDRESS

if TYPE_CHECKING:
    from .rclone_server import Server

_PLACE = re.compile(r"rclone:([A-Za-z0-9_][A-Za-z0-9_.+@-]*):(.*)", re.DOTALL)
_SETTING = re.compile(r"[a-z][a-z0-9_]*")
_STAMP = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ")
_LEVEL = re.compile(r"^(?:ERROR|CRITICAL|NOTICE|Fatal error)\s*: (?:[^:]*: )?")
_MISSING = (3, 4)  # exit status: a directory, a file was not found
_NOTHING = (b"", b"[")  # with these; otherwise, it is only something in a listing that has just been removed
_TRIES = 3
_SLOWEST = 16 << 10  # bytes per second, of a line that is waited for. rclone itself ends where nothing moves
_REPEATS = "--low-level-retries=3"
LIMIT = 120.0  # seconds for one call that moves little
# What one more try does not change, as rclone says it: how to go on
_DEFINITE = (
    (r"find section in config|unknown backend|find backend", "Correct the name of the remote, or rclone.config."),
    (r"decrypt password|is it obscured", "Write passwords as `rclone obscure` prints them."),
    (r"knownhosts|host key", "Compare the key of the server with the one in known_hosts_file, and correct the file."),
    (r"unable to authenticate|no supported methods|SignatureDoesNotMatch|InvalidAccessKeyId|\b401\b|[Uu]nauthorized",
     "Correct the user and its key or password in rclone.settings, rclone.secrets or the configuration file."),
    (r"[Pp]ermission denied|AccessDenied|\b403\b|[Ff]orbidden", "Give the user of the remote access to this path."),
    (r"x509|certificate", "Set ca_bundle in rclone to the CA certificate of the server."),
    (r"NoSuchBucket|bucket.*does not exist", "Create the bucket, or correct its name."),
    (r"unable to decrypt|configuration password|RCLONE_CONFIG_PASS", "Use a configuration file without a password."),
)  # fmt: skip
_FULL = re.compile(r"no space left|disk full|quota|insufficient storage|\b507\b|StorageFull", re.IGNORECASE)
_AWAY = re.compile(r"refused|no such host|timeout|timed out|unreachable|couldn't connect|no route", re.IGNORECASE)


class Answer(NamedTuple):
    """What a call has printed."""

    out: bytes
    missing: bool = False  # it says that there is no such file or directory


class Rclone:
    """One remote and a path in it.

    :param address: rclone:REMOTE:path
    :param options: see rclone_options.py. Without any, the remote is in the configuration file of the user.
    :param rate: bytes per second that a call may transfer.
    :raises InvalidRequest: the address or an option can't be used.
    """

    def __init__(self, address: str, options: Mapping[str, Any], rate: Optional[int] = None) -> None:
        place = _PLACE.fullmatch(address)
        if place is None:
            raise InvalidRequest(
                f"{address} is not the address of a remote.",
                "Write rclone:REMOTE:path. Settings of the remote belong in rclone.settings and rclone.secrets.",
            )
        remote, path = place.groups()
        self.path = path.rstrip("/") or path[:1]
        self.location = f"{ADDRESS}{remote}:{self.path}"
        self._name = _name_of(remote, options)
        self.environment = _environment_of(self._name, options)
        self._hidden = [str(value) for value in (options.get("secrets") or {}).values() if len(str(value)) > 3]
        ca_bundle = options.get("ca_bundle")
        if ca_bundle and not os.path.exists(ca_bundle):
            raise InvalidRequest(
                f"The file {ca_bundle} in rclone.ca_bundle does not exist.", "Correct it, or omit ca_bundle."
            )
        self._words = ["--ask-password=false", "--retries=1", "--contimeout=10s", "--timeout=60s", "--log-level=ERROR"]
        self._words += [f"--ca-cert={ca_bundle}"] if ca_bundle else []
        self._words += [f"--bwlimit={rate}B"] if rate else []
        self.rate = rate
        self._server: Optional[Server] = None
        if options.get("server") and _pass_a_shell(self.environment):
            from .rclone_server import Server  # only here: it is off by default

            self._server = Server(self.at(""), [*self._words, _REPEATS], self.environment)

    def seconds_for(self, size: int) -> float:
        """That so many bytes may take on a slow line, or with the rate."""
        return size / min(self.rate or _SLOWEST, _SLOWEST)

    def at(self, key: str) -> str:
        """The argument that names what lies at a key below the path; "": the path itself."""
        between = "/" if key and self.path and not self.path.endswith("/") else ""
        return f"{self._name}:{self.path}{between}{key}"

    def start(self, *words: str, **streams: Any) -> subprocess.Popen[bytes]:
        """Start a call whose data is streamed."""
        # run_command is a module's, and does not stream
        return subprocess.Popen(  # pylint: disable=ansible-bad-function
            ["rclone", *words, *self._words], env=self.environment, bufsize=0, **streams
        )

    def call(self, doing: str, key: str, *words: str, data: Optional[bytes] = None, limit: float = LIMIT) -> Answer:
        """Run a call that can be repeated, up to three times.

        :param doing: what for, as in "Can't DOING LOCATION/KEY".
        :param data: its standard input, if it has one.
        :param limit: seconds for one try, beside what `data` takes.
        """
        limit += self.seconds_for(len(data or b""))
        told = self.served(words, data, limit)
        if told is not None:
            return told
        for left in reversed(range(_TRIES)):
            status, out, said = self._once(words, data, limit)
            if status == 0:
                return Answer(out)
            if status in _MISSING and out.strip() in _NOTHING and words[0] != "rcat":  # which writes
                return Answer(b"", missing=True)
            if not left or is_definite(said):
                self.fail(doing, key, said)
            time.sleep(0.3 * 3 ** (_TRIES - 1 - left))
        raise AssertionError("the last try returns or fails")

    def served(self, words: Sequence[str], data: Optional[bytes], limit: float = LIMIT) -> Optional[Answer]:
        """The answer to a call, if there is a server and it could give one."""
        told = self._server.ask(words, data, limit) if self._server is not None else None
        return Answer(told[1], missing=told[0] != 200) if told is not None else None

    def _once(self, words: Iterable[str], data: Optional[bytes], limit: float) -> tuple[int, bytes, str]:
        with self.errors(), file_of(data) as source:
            # it tries again by itself, ten times unless it is told otherwise
            process = self.start(*words, _REPEATS, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            with process:
                try:
                    out, said = process.communicate(timeout=limit)
                except subprocess.TimeoutExpired:
                    process.kill()
                    return -1, b"", f"it did not answer within {limit:g} s"
                except BaseException:
                    process.kill()
                    raise
        return process.returncode, out, said.decode(errors="replace")

    @contextlib.contextmanager
    def errors(self) -> Any:
        """Tell of a program that is not there."""
        try:
            yield
        except FileNotFoundError as exc:
            raise MissingDependency(
                "The program rclone", f"for the repository {self.location}", "Install the package rclone."
            ) from exc

    def fail(self, doing: str, key: str, said: str) -> NoReturn:
        """Raise what the error output of a call means."""
        reason = _reason(said)
        for secret in self._hidden:
            reason = reason.replace(secret, "***")
        where = self.location + ("/" if key and not self.location.endswith((":", "/")) else "") + key
        text = f"Can't {doing} {where}: {reason}."
        if _FULL.search(said):
            raise NoSpace(text, "Free some space, or raise the quota.")
        hint = _hint(said)
        if hint:
            raise Unreachable(text, hint)
        raise Interrupted(text, "Check the network and the remote's host." if _AWAY.search(said) else "")


def is_definite(said: str) -> bool:
    """Whether one more try would meet the same error."""
    return bool(_hint(said) or _FULL.search(said))


def file_of(data: Optional[bytes]) -> Any:
    """A file rather than a pipe: a short input is stored without an error, so that we must not be killed while writing
    it."""
    if data is None:
        return open(os.devnull, "rb")
    handle: IO[bytes] = os.fdopen(os.memfd_create("day2"), "r+b")
    handle.write(data)
    handle.seek(0)
    return handle


def _hint(said: str) -> str:
    return next((hint for pattern, hint in _DEFINITE if re.search(pattern, said)), "")


def _reason(said: str) -> str:
    """The last thing that it says, without the time and what was called."""
    lines = [line for line in said.splitlines() if line.strip()] or ["rclone gave no reason"]
    begin = max((number for number, line in enumerate(lines) if _STAMP.match(line)), default=len(lines) - 1)
    text = " ".join(line.strip() for line in lines[begin:])  # of what S3 says, the first of several lines has the code
    last = _LEVEL.sub("", _STAMP.sub("", text)).strip()
    last = re.sub(r"^Failed to [a-z ]+(?:\"[^\"]*\"|): ", "", re.sub(r" with \d+ errors: last error was", "", last))
    return last.strip().rstrip(".")


def _name_of(remote: str, options: Mapping[str, Any]) -> str:
    """What rclone is to call a remote: where no file has settings for its name, one that a variable can have in any
    shell."""
    known = bool(options.get("config")) or not options.get("settings")
    return remote if known else re.sub("[^A-Za-z0-9_]", "_", remote)


def _pass_a_shell(variables: Iterable[str]) -> bool:
    """Whether the one that starts the server passes on all settings: it drops names that it can't use itself."""
    return all(name.isidentifier() for name in variables if name.startswith("RCLONE_CONFIG_"))


def _environment_of(remote: str, options: Mapping[str, Any]) -> dict[str, str]:
    extra: dict[str, str] = {}
    settings, hidden = options.get("settings") or {}, options.get("secrets") or {}
    _check(settings, hidden)
    for name, value in {**settings, **hidden}.items():
        extra[f"RCLONE_CONFIG_{remote.upper()}_{name.upper()}"] = _text(value)
    config = options.get("config")
    if config:
        if not os.path.exists(config):
            raise InvalidRequest(
                f"The file {config} in rclone.config does not exist.", "Correct it, or set rclone.settings."
            )
        extra["RCLONE_CONFIG"] = config
    elif settings:
        extra["RCLONE_CONFIG"] = os.devnull
    result = environment(**extra)
    # with it, rclone refuses to use S3
    result.pop("AWS_CA_BUNDLE", None)
    # what is written is read back: no shell is needed to hash it there, and looking for one takes as long as all else
    result.setdefault("RCLONE_SFTP_SHELL_TYPE", "none")
    return result


def _text(value: Union[str, float, bool]) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check(settings: Mapping[str, Any], hidden: Mapping[str, Any]) -> None:
    for name, value in {**settings, **hidden}.items():
        if not _SETTING.fullmatch(str(name)):
            raise InvalidRequest(
                f"{name!r} is not the name of a setting of rclone.", "Write it as in the configuration file of rclone."
            )
        if not isinstance(value, (str, int, float)):
            raise InvalidRequest(f"{name} in rclone.settings or rclone.secrets must be a string or a number.")
    both = sorted(set(settings) & set(hidden))
    if both:
        raise InvalidRequest(f"{both[0]} is in rclone.settings and in rclone.secrets.", "Set it in one of them.")
    if settings.get("type") == "sftp" and not settings.get("known_hosts_file"):
        raise InvalidRequest(
            "rclone.settings has no known_hosts_file: any server would be trusted.",
            "Set it to a file that contains the key of the server, as ssh-keyscan prints it.",
        )
