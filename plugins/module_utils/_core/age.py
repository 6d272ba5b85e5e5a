# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encryption by the program age. Identities reach it through a pipe that only it inherits, never as an argument."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

from .compression.base import BLOCK, CorruptStream, Readable
from .errors import Day2Error, InvalidRequest, MissingDependency, NoSpace, WrongIdentity
from .filter_program import closed, ended, reading, start
from .programs import piped, wide_pipe

MOST = 60_000  # bytes of identities, which must fit into a pipe
_RECIPIENT = re.compile(r"(age1[0-9a-z]+)|(ssh-(?:ed25519|rsa) [A-Za-z0-9+/]+=*)(?: .*)?")


def recipients_from(given: Sequence[str]) -> tuple[str, ...]:
    """Recipients in a normal form: sorted, each once, and without the comments of SSH keys. Raises InvalidRequest."""
    found = set()
    for number, one in enumerate(given, start=1):
        match = _RECIPIENT.fullmatch(" ".join(one.split()))
        if match is None:
            # it may be a secret by mistake: it is not shown
            secret = "SECRET KEY" in one.upper().replace("-", " ") or "PRIVATE KEY" in one
            raise InvalidRequest(
                f"encrypt_to: entry {number} is {'a secret key, ' * secret}not a public key.",
                "Write recipients of age (age1...) or public SSH keys (ssh-ed25519 AAAA... or ssh-rsa AAAA...).",
            )
        found.add(match[1] or match[2])
    return tuple(sorted(found))


def check(recipients: Sequence[str]) -> None:
    """Raise InvalidRequest when age does not accept the recipients, MissingDependency when it is missing."""
    for one in recipients:
        process = _start(["age", "-r", one], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        with ended(process):
            status, said = closed(process)
        if status:
            raise InvalidRequest(f"encrypt_to can't be used: age does not accept {one}: {_short(said)}.")


def identities_from(text: str, where: str) -> bytes:
    """Identities as age reads them from a file. Raises InvalidRequest when there are none.

    :param where: the option that they come from.
    """
    data = text.encode(errors="surrogateescape")
    if not any(line.strip() and not line.startswith("#") for line in text.splitlines()):
        raise InvalidRequest(f"{where} contains no identity.", "Create one with age-keygen.")
    if len(data) > MOST:
        raise InvalidRequest(f"{where} is larger than {MOST} bytes: it does not contain identities.")
    return data.rstrip() + b"\n"


def throw_away() -> tuple[bytes, str]:
    """A new identity that exists in memory only, and its recipient."""
    process = _start(["age-keygen"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    with ended(process):
        made = process.communicate()[0]
    found = re.search(rb"^# public key: (age1[0-9a-z]+)$", made, re.MULTILINE)
    if process.returncode or found is None:
        raise Day2Error(f"age-keygen failed with exit status {process.returncode}.")
    return made, found[1].decode()


@contextlib.contextmanager
def encrypting(recipients: Sequence[str], fd: int) -> Iterator[int]:
    """Encrypt what is written to the descriptor of the block into an open file. If the block ends without an
    exception, everything is written and age has succeeded."""
    to = [word for one in recipients for word in ("-r", one)]
    process = _start(["age", *to], stdin=subprocess.PIPE, stdout=fd)
    with ended(process):
        wide_pipe(process.stdin)
        try:
            yield process.stdin.fileno()  # type: ignore[union-attr]
        except Day2Error as exc:
            status, said = closed(process)
            if status > 0:  # that its pipe broke says nothing more
                raise _failed(status, said) from exc
            raise
        status, said = closed(process)
        if status:
            raise _failed(status, said)


@contextlib.contextmanager
def decrypting(identities: bytes, source: Readable) -> Iterator[Readable]:
    """Decrypt. b"" is returned only after age has ended with status 0. Anything before it may be the beginning of a
    file that is damaged. Raises CorruptStream for that, WrongIdentity if not even the beginning can be read.
    """
    with piped(identities) as pipe:
        process = _start(
            ["age", "-d", "-i", f"/dev/fd/{pipe}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[pipe]
        )
    with reading(process, source, _damaged) as reader:
        yield reader


def decrypted(identities: bytes, data: bytes) -> bytes:
    """Small data. Raises as `decrypting`."""
    with decrypting(identities, io.BytesIO(data)) as reader:
        return b"".join(iter(lambda: reader.read(BLOCK), b""))


def encrypted(recipients: Sequence[str], data: bytes) -> bytes:
    """Small data."""
    with os.fdopen(os.memfd_create("day2"), "r+b") as handle:
        with encrypting(recipients, handle.fileno()) as target:
            plain = memoryview(data)
            while plain:
                plain = plain[os.write(target, plain) :]
        handle.seek(0)
        return handle.read()


def number_of_recipients(data: bytes) -> int:
    """As the header of an encrypted file tells, with that of the run that wrote it."""
    header = data.partition(b"\n---")[0]
    return header.count(b"\n-> ")


def _start(argv: Sequence[str], **streams: Any) -> subprocess.Popen[bytes]:
    try:
        # without a terminal, it can't ask for the passphrase of a key, and fails instead of waiting
        return start(argv, start_new_session=True, **streams)
    except FileNotFoundError as exc:
        raise MissingDependency(
            f"The program {argv[0]}", "for encrypted backups", "Install the package age (1.0 or newer)."
        ) from exc


def _short(said: str) -> str:
    line = said.partition("\n")[0]
    return line.replace("age: error: ", "").replace("age: ", "").rstrip(".") or "it says nothing"


def _failed(status: int, said: str) -> Day2Error:
    if "no space left" in said or "quota" in said:
        return NoSpace(f"Can't write encrypted data: {_short(said)}.", "Free some space and run again.")
    return Day2Error(f"age failed with exit status {status}: {_short(said)}.")


def _damaged(status: int, said: str) -> Day2Error:
    text = _short(said)
    # of the identities: no data can make age begin with these words
    if text.startswith("failed to obtain passphrase"):
        return InvalidRequest(
            "The identity can't be used: it has a passphrase.", "Use an identity without a passphrase."
        )
    if text.startswith('reading "'):
        return InvalidRequest(f"The identity can't be used: age says: {re.sub('/dev/fd/[0-9]+', 'it', text)}.")
    if "identit" in text:
        return WrongIdentity(f"age says: {text}.")
    return CorruptStream(f"its age data is damaged ({text or f'exit status {status}'})")
