# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program dumps as a stream, and another one takes back: any store that has such programs."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, Callable, Optional
from urllib.parse import quote

from ..._core.errors import InvalidRequest, SourceError
from ..._core.units import parse_duration, parse_size
from ..base import Copy, HashedWriter, Reader, Restoration, Sink, Snapshot
from .program import Program, ProgramFailed

DUMP = "dump"  # the one file of a backup
_BLOCK = 1 << 20
_LONGEST = "24h"
_IDENTITY = 1 << 20  # bytes that the program for the fingerprint may print
_LONGEST_LINE = 64 << 20  # bytes; a longer line is not compared with `ignore`


class CommandStore:
    """The dump is one file, and has no collections.

    `path` names the program and its arguments that are no options: what it dumps, and not how.
    """

    type = "command"
    local_path: Optional[str] = None

    def __init__(self, _path: str, options: Mapping[str, Any]) -> None:
        self.dump = _command(options, "dump")
        if not self.dump:
            raise InvalidRequest(
                "dump is required for a store of type command.",
                "Set it to a program that writes a dump to its standard output.",
            )
        self.restore, self.swap, self.discard = (_command(options, name) for name in ("restore", "swap", "discard"))
        if (self.swap or self.discard) and not self.restore:
            raise InvalidRequest("swap and discard require restore.", "Set restore, or omit them.")
        if self.discard and not self.swap:
            raise InvalidRequest("discard requires swap.", "Set swap, or omit discard.")
        operands = [one for one in self.dump[1:] if not one.startswith("-")]
        self.path = "command://" + "/".join(quote(one, safe="") for one in (os.path.basename(self.dump[0]), *operands))
        self.variables = {str(name): str(value) for name, value in (options.get("environment") or {}).items()}
        self.timeout = parse_duration(options.get("timeout") or _LONGEST)
        self._verify, self._identify = _command(options, "verify"), _command(options, "fingerprint")
        self._stdin = (options.get("stdin") or "").encode()
        self._min_bytes = max(1, parse_size(options.get("min_bytes") or "1"))
        self._ignore: list[str] = options.get("ignore") or []

    def exists(self) -> bool:
        """It may: only its programs could tell, and an error of a program must not be mistaken for an empty store."""
        return True

    def parameters(self) -> dict[str, Any]:
        return {"dump": self.dump, "ignore": sorted(self._ignore)}

    def fingerprint(self) -> Optional[str]:
        if not self._identify:
            return None
        digest, size = hashlib.sha256(), 0
        with contextlib.closing(self._output(self._identify)) as output:
            for data in output:
                digest.update(data)
                size += len(data)
                if size > _IDENTITY:
                    raise SourceError(f"{self._identify[0]} prints more than 1 MiB as a fingerprint.", "Print less.")
        # what prints nothing says nothing
        return digest.hexdigest() if size else None

    def snapshot(self, sink: Sink) -> Snapshot:
        before = self.fingerprint()
        sink.progress.start(f"Running {self.dump[0]}", unit="bytes")
        taken = self._take(self._output(self.dump), sink, f"{self.dump[0]} printed")
        return taken._replace(fingerprint=before if before == self.fingerprint() else None)

    def convert(self, reader: Reader, filename: str, sink: Sink) -> Snapshot:
        sink.progress.start(f"Reading {filename}", unit="bytes")
        return self._take(iter(lambda: reader.read(_BLOCK), b""), sink, f"{filename} has")

    def prepare(self, copy: Copy, only: Sequence[str], scratch: str, dry: bool) -> Restoration:
        from .restore import CommandRestoration  # only here: see registry.py

        if only:
            raise InvalidRequest("only is not possible for a store of type command.", "Restore all of it.")
        if not self.restore:
            raise InvalidRequest(
                "restore is required for a target of type command.",
                "Set it to a program that reads a dump from its standard input.",
            )
        return CommandRestoration(self, copy, scratch, dry)

    def digest_of(self, blocks: Iterator[bytes], keep: Callable[[bytes], object]) -> tuple[str, int]:
        """The digest of a dump without the lines to ignore, and its bytes; `keep` gets all of them."""
        digest, size = _Lines(self._ignore), 0
        for data in blocks:
            keep(data)
            digest.update(data)
            size += len(data)
        return digest.hexdigest(), size

    def current(self, keep: Callable[[bytes], object]) -> tuple[str, int]:
        """The same of the store as it is. Raises SourceError."""
        digest, size = self.digest_of(self._output(self.dump), keep)
        self._check_size(size, f"{self.dump[0]} printed")
        return digest, size

    @contextlib.contextmanager
    def verifying(self, error: Callable[[str], Exception]) -> Iterator[Callable[[bytes], object]]:
        """A function for each block of a dump; at the end of the block, the user's own program has found it good."""
        if not self._verify:
            yield lambda _data: None
            return
        try:
            with Program(self._verify, self.variables, self.timeout) as program:
                yield program.write
                program.finish()
        except ProgramFailed as exc:
            raise error(f"The dump is not usable: {exc}") from None

    def _take(self, blocks: Iterator[bytes], sink: Sink, whence: str) -> Snapshot:
        with sink.file(DUMP) as target, self.verifying(SourceError) as verify:
            digest, size = self.digest_of(blocks, _both(target, verify))
            self._check_size(size, whence)
        return Snapshot(digest, (), {"bytes": size}, None)

    def _check_size(self, size: int, whence: str) -> None:
        if size < self._min_bytes:
            raise SourceError(
                f"{whence} {size} bytes, less than min_bytes={self._min_bytes}.",
                "Nothing was published. Run the command by hand to see why.",
            )

    def _output(self, argv: Sequence[str]) -> Generator[bytes, None, None]:
        """What a program prints; the end counts only if it was successful. Raises SourceError."""
        try:
            with Program(argv, self.variables, self.timeout, self._stdin) as program:
                yield from iter(program.read, b"")
                program.finish()
        except ProgramFailed as exc:
            raise SourceError(str(exc), "Run it by hand as the user of the task to see why.") from None


class _Lines:
    """The digest of a stream without the lines that fit one of the globs."""

    def __init__(self, globs: Sequence[str]) -> None:
        self._digest = hashlib.sha256()
        self._rest = bytearray()  # of the line that has not ended
        self._long = False  # the beginning of that line is in the digest
        # a glob can't take exponential time, as a regular expression of a user could
        patterns = [fnmatch.translate(one.encode().decode("latin-1")) for one in globs]
        self._ignored = [re.compile(one.encode("latin-1")) for one in patterns]

    def update(self, data: bytes) -> None:
        if not self._ignored:
            self._digest.update(data)
            return
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._rest += line
            self._end_line(b"\n")
        self._rest += rest
        if len(self._rest) > _LONGEST_LINE:
            self._digest.update(self._rest)
            self._rest.clear()
            self._long = True

    def hexdigest(self) -> str:
        """Hex SHA-256, at the end."""
        self._end_line(b"")
        return self._digest.hexdigest()

    def _end_line(self, end: bytes) -> None:
        if self._long or not any(one.match(self._rest) for one in self._ignored):
            self._digest.update(self._rest + end)
        self._rest.clear()
        self._long = False


def _both(target: HashedWriter, verify: Callable[[bytes], object]) -> Callable[[bytes], object]:
    def keep(data: bytes) -> None:
        target.write(data)
        verify(data)

    return keep


def _command(options: Mapping[str, Any], name: str) -> list[str]:
    words: Optional[list[str]] = options.get(name)
    if words is not None and not (words and words[0]):
        raise InvalidRequest(f"{name} is empty.", "Write the program and its arguments as a list.")
    return words or []
