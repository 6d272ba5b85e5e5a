# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives the program restic: the options, one call, and what its errors mean.

Secrets reach it by a pipe or in its environment, never as arguments, which every user of the host can see.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn, Optional

from . import host_state, s3_options
from .compression.base import CorruptStream
from .errors import InvalidRequest, MissingDependency, NoSpace, RepositoryError, Unreachable
from .files import make_private_directory, os_errors, resolve
from .programs import environment, piped
from .rclone_options import ADDRESS as RCLONE
from .restic_options import ADDRESSES

_LIMIT = 300.0  # seconds for one call that moves little
_GRACE = 10.0  # seconds in which it removes its lock when it is stopped
_ENVIRONMENT = re.compile(r"[A-Z][A-Z0-9_]*")
# It asks "Is there a repository at the following location?" whatever the reason is, also of a server that is down.
_MISSING = re.compile(
    r"repository does not exist|"
    r"unable to open config file: (?!.*(?:access key|x509))"
    r"(?:(?!\nIs there).)*?(?:(?:does not|doesn't) exist|no such file|not found|(?<![/:\w])404\b|NoSuch(?:Key|Bucket))",
    re.IGNORECASE | re.DOTALL,
)
_BUSY = re.compile(r"already locked", re.IGNORECASE)
_GONE = re.compile(r"no matching ID found|no snapshot found", re.IGNORECASE)
_EXISTS = re.compile(r"config file already exists|already initialized", re.IGNORECASE)
_FULL = re.compile(r"no space left|disk full|quota|insufficient storage|\b507\b|StorageFull", re.IGNORECASE)
_AWAY = re.compile(r"refused|no such host|timeout|timed out|unreachable|no route|connection reset", re.IGNORECASE)
_DAMAGED = re.compile(
    r"ciphertext verification failed|wrong (?:data )?hash|hash does not match|does not match id|invalid data returned|"
    r"not found in (?:repository|snapshot|index)|(?:pack|blob|tree|index) .*(?:not found|does not exist)|"
    r"unexpected EOF|invalid character|data/[^ ]*: no such file",
    re.IGNORECASE,
)
# What one more try does not change: how to go on
_DEFINITE = (
    (r"wrong password|no key found", "Correct the password in restic."),
    (r"password_file|password-file|empty password", "Correct restic.password_file."),
    (r"[Pp]ermission denied|Access ?Denied|\b403\b|[Ff]orbidden", "Give this user access to the repository."),
    (
        r"SignatureDoesNotMatch|InvalidAccessKeyId|\b401\b|[Uu]nauthorized|signature we calculated|Access Key Id you",
        "Correct the credentials.",
    ),
    (r"[Hh]ost key|authenticity of host", "Add the key of the server to the known_hosts file of the user."),
    (r"x509|certificate", "Set ca_bundle to the CA certificate of the server."),
    (r"NoSuchBucket|bucket.*does not exist", "Create the bucket, or correct its name."),
    (r"unsupported (?:repository )?version|upgrade", "Install a newer restic."),
)


class Restic:
    """One repository of restic.

    :param params: those of a module: `repository`, and the options of access.
    :param rate: bytes per second that a call may transfer.
    :raises InvalidRequest: the address or an option can't be used.
    """

    def __init__(self, params: Mapping[str, Any], rate: Optional[int] = None) -> None:
        options = params.get("restic") or {}
        address = str(params["repository"])
        self.local_path = None if is_address(address) else resolve(address, RepositoryError)
        given = {str(name): str(value) for name, value in (options.get("environment") or {}).items()}
        self._words: list[str] = []
        extra = self._access(address, params, given)
        self.location = address.rstrip("/") if self.local_path is None else self.local_path
        endpoint = (params.get("s3") or {}).get("endpoint_url") or ""
        self.place = f"restic\0{self.location}\0{endpoint}"
        self._password, self._file = _password_of(options)
        secrets = {one for one in given.values() if len(one) > 3}
        self._hidden = sorted({*secrets, *map(_quoted, secrets)}, key=len, reverse=True)
        self._environment = environment(TZ="UTC", **extra)
        self._environment.pop("AWS_CA_BUNDLE", None)
        for name in ("RESTIC_PASSWORD", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND", "RESTIC_REPOSITORY_FILE"):
            self._environment.pop(name, None)
        kib = max(1, rate // 1024) if rate else 0
        self._words += [f"--limit-upload={kib}", f"--limit-download={kib}"] if kib else []
        self._words.append("--cleanup-cache")

    def _access(self, address: str, params: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
        """The environment that says where the repository is, and how to get there."""
        for name in given:
            if not _ENVIRONMENT.fullmatch(name) or name.startswith("RESTIC_PASSWORD"):
                raise InvalidRequest(
                    f"{name!r} can't be set in restic.environment.",
                    "Name variables as restic documents them; the password is a separate option.",
                )
        if re.search(r"://[^/@]*:[^/@]*@", address):
            raise InvalidRequest(
                "The address of the repository contains a password.",
                "Set RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD in restic.environment.",
            )
        extra = dict(given)
        place = self.local_path or address
        if address.startswith((s3_options.ADDRESS, "s3:")):
            place = self._s3(address, params.get("s3") or {}, extra)
        elif address.startswith(RCLONE):
            place = self._rclone(address, params.get("rclone") or {}, extra)
        elif address.startswith("rest:") and "RESTIC_REST_PASSWORD" in given:  # restic 0.14 knows no such variables
            user, password = given.get("RESTIC_REST_USERNAME", ""), given["RESTIC_REST_PASSWORD"]
            place = address.replace("://", f"://{_quoted(user)}:{_quoted(password)}@", 1)
        extra["RESTIC_REPOSITORY"] = place
        return extra

    def _s3(self, address: str, options: Mapping[str, Any], extra: dict[str, str]) -> str:
        s3_options.check(options)
        for one in ("server_side_encryption", "kms_key_id"):
            if options.get(one):
                raise InvalidRequest(f"s3.{one} can't be used with engine=restic.", "Omit it: restic encrypts.")
        names = {
            "access_key_id": "AWS_ACCESS_KEY_ID",
            "secret_access_key": "AWS_SECRET_ACCESS_KEY",
            "session_token": "AWS_SESSION_TOKEN",
            "region": "AWS_DEFAULT_REGION",
            "profile": "AWS_PROFILE",
        }
        extra.update({name: str(options[one]) for one, name in names.items() if options.get(one)})
        if options.get("ca_bundle"):
            self._words.append(f"--cacert={options['ca_bundle']}")
        lookup = {"path": "path", "virtual": "dns"}.get(str(options.get("addressing")))
        self._words += ["-o", f"s3.bucket-lookup={lookup}"] if lookup else []
        if options.get("storage_class"):
            self._words += ["-o", f"s3.storage-class={options['storage_class']}"]
        if not address.startswith(s3_options.ADDRESS):
            return address
        endpoint = str(options.get("endpoint_url") or "https://s3.amazonaws.com").rstrip("/")
        return f"s3:{endpoint}/{address[len(s3_options.ADDRESS) :]}"

    def _rclone(self, address: str, options: Mapping[str, Any], extra: dict[str, str]) -> str:
        from .rclone import Rclone  # only here: most repositories do without

        known = Rclone(address, options)
        extra.update({name: value for name, value in known.environment.items() if name.startswith("RCLONE_")})
        if options.get("ca_bundle"):
            served = "serve restic --stdio --b2-hard-delete"
            self._words += ["-o", f"rclone.args={served} --ca-cert={options['ca_bundle']}"]
        return RCLONE + known.at("")

    @contextlib.contextmanager
    def start(self, *words: str, **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
        """Start a call. The block ends when it has read its password."""
        cache = os.path.join(host_state.directory(), "restic", "cache")
        with os_errors(RepositoryError, "Can't write", cache):
            make_private_directory(cache)
        with contextlib.ExitStack() as stack:
            password, fds = [f"--password-file={self._file}"], []
            if self._password is not None:
                fds = [stack.enter_context(piped(self._password))]
                password = [f"--password-file=/dev/fd/{fds[0]}"]
            argv = ["restic", *self._words, *password, f"--cache-dir={cache}", *words]
            try:
                # run_command is a module's, and does not stream
                process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                    argv, env=self._environment, bufsize=0, pass_fds=fds, **streams
                )
            except FileNotFoundError as exc:
                raise MissingDependency(
                    "The program restic", f"for the repository {self.location}", "Install the package restic."
                ) from exc
            yield process

    def call(
        self,
        doing: str,
        *words: str,
        data: Optional[bytes] = None,
        limit: Optional[float] = _LIMIT,
        directory: Optional[str] = None,
    ) -> bytes:
        """Run a call: what it prints. Raises Missing, Busy, NoSpace, Unreachable, or CorruptStream for what is damaged.

        :param doing: what for, as in "Can't DOING LOCATION".
        :param data: its standard input, if it has one.
        :param limit: seconds that it may take; None: as long as it wants.
        """
        status, out, said = self._once(words, data, limit, directory)
        if status:
            self.fail(doing, said)
        return out

    def _once(
        self, words: Sequence[str], data: Optional[bytes], limit: Optional[float], directory: Optional[str]
    ) -> tuple[int, bytes, str]:
        kept = memory_file(data or b"")
        with kept, memory_file(b"") as errors, memory_file(b"") as printed:
            with self.start(*words, stdin=kept, stdout=printed, stderr=errors, cwd=directory) as process:
                late = ""
                try:
                    status = process.wait(limit)
                except subprocess.TimeoutExpired:
                    status, late = stop(process) or -1, f"it did not end within {limit:g} s\n"
                except BaseException:
                    stop(process)
                    raise
            return status, _whole(printed), late + _whole(errors).decode(errors="replace")

    def fail(self, doing: str, said: str) -> NoReturn:
        """Raise what the error output of a call means."""
        reason = self.shown(said)
        text = f"Can't {doing} {self.location}: {reason}."
        if _MISSING.search(said):
            raise Missing(f"The repository {self.location} does not exist.", "A backup creates it.")
        if is_busy(said):
            raise Busy(text, "Wait for the other process to end. After a crash, run `restic unlock`.")
        if _EXISTS.search(said):
            raise Exists(text)
        if is_gone(said):
            raise Gone(text, "Run again.")
        if _FULL.search(said):
            raise NoSpace(text, "Free some space, or raise the quota.")
        hint = next((hint for pattern, hint in _DEFINITE if re.search(pattern, said)), "")
        if not hint and _DAMAGED.search(said) and not _AWAY.search(said):
            raise CorruptStream(f"restic can't read it ({reason})")
        raise Unreachable(text, hint or ("Check the network and the server." if _AWAY.search(said) else ""))

    def shown(self, said: str) -> str:
        """The last thing that it says, without secrets."""
        lines = [line.strip() for line in said.splitlines() if line.strip()] or ["restic gave no reason"]
        fatal = [line for line in lines if "Fatal:" in line or line.startswith("error")] or lines[-1:]
        text = re.sub(r"^(?:Fatal|error)\s*: ", "", fatal[-1])
        if lines[0].startswith("it did not end"):
            text = f"{lines[0]}; {text}" if fatal[-1] != lines[0] else text
        for secret in self._hidden:
            text = text.replace(secret, "***")
        return text.rstrip(".")

    def when_free(self, doing: str, *words: str, patience: float, limit: Optional[float] = _LIMIT) -> bytes:
        """Run a call that must be alone in the repository: others are waited for, and what crashed ones left of their
        locks is removed."""
        deadline = time.monotonic() + patience
        pause, unlocked = 0.2, False
        while True:
            try:
                return self.call(doing, *words, limit=limit)
            except Busy:
                if unlocked and time.monotonic() >= deadline:
                    raise
                self.call("unlock", "unlock")  # only what nobody holds any more
                unlocked = True
            time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
            pause = min(5.0, 2 * pause)


class Missing(RepositoryError):
    """There is no repository."""


class Exists(RepositoryError):
    """There is one already."""


class Gone(Unreachable):
    """A snapshot is not there any more. It may have got other tags, and with them another id."""


class Busy(Unreachable):
    """Another process uses the repository, and what is to be done must be done alone."""


def is_busy(said: str) -> bool:
    """Whether the error output of a call says that another process is alone in the repository."""
    return bool(_BUSY.search(said))


def is_gone(said: str) -> bool:
    """Whether it says that the snapshot is not there."""
    return bool(_GONE.search(said))


def is_address(location: str) -> bool:
    """Whether a repository of restic is not a directory of this host."""
    return location.startswith(ADDRESSES)


def _quoted(text: str) -> str:
    """As part of an address."""
    from urllib.parse import quote  # only here: few need it

    return quote(text, safe="", errors="surrogateescape")


def memory_file(data: bytes) -> Any:
    """A file that never lies on a disk, open at its beginning."""
    handle = os.fdopen(os.memfd_create("day2"), "r+b")
    handle.write(data)
    handle.seek(0)
    return handle


def _whole(handle: Any) -> bytes:
    handle.seek(0)
    data: bytes = handle.read()
    return data


def stop(process: subprocess.Popen[bytes]) -> int:
    """End a call so that it removes its lock from the repository, if it can."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            return process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def _password_of(options: Mapping[str, Any]) -> tuple[Optional[bytes], str]:
    """The password, or the file that has it."""
    password, path = options.get("password"), options.get("password_file")
    if bool(password) == bool(path):
        raise InvalidRequest(
            "engine=restic requires a password.", "Set either password or password_file of the option restic."
        )
    if path:
        if not os.access(path, os.R_OK):
            raise InvalidRequest(f"restic.password_file {path} can't be read.", "Correct it, or set restic.password.")
        return None, str(path)
    encoded = str(password).encode("utf-8", "surrogateescape")
    if b"\n" in encoded or len(encoded) > 4096:
        raise InvalidRequest("restic.password must be one line of at most 4096 bytes.")
    return encoded + b"\n", ""


def mapping_of(line: str) -> dict[str, Any]:
    """A line of JSON that restic has printed. Raises RepositoryError."""
    try:
        value = json.loads(line)
    except ValueError as exc:
        raise RepositoryError(f"restic printed an unexpected line: {line[:80]!r}.") from exc
    return value if isinstance(value, dict) else {}
