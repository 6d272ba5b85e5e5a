# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a backup, format version 1 (docs/FORMAT.md): written once, believed only after checks."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Optional

from .._core.collection import Collection
from .._core.compression import COMPRESSIONS
from .._core.errors import DamagedBackup, InvalidRequest
from .._core.units import format_time, parse_time

FORMAT = "day2.ops backup"
VERSION = 1
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
DATA = "data"

BACKUP = "backup"  # an ordinary one
SAFETY = "safety"  # what a restore replaced: restored by its id only

ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
SET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SUM = re.compile(r"([0-9a-f]{64})  (.+)")


class DataFile(NamedTuple):
    """One file of a backup. `bytes` and `sha256` are of the file as it lies there, content_* of what it holds."""

    path: str
    bytes: int
    sha256: str
    content_bytes: int
    content_sha256: str


class SourcePart(NamedTuple):
    """What a backup holds of one store."""

    name: str
    type: str
    path: str
    parameters: dict[str, Any]
    content_digest: str
    collections: tuple[Collection, ...]
    details: dict[str, Any]
    files: tuple[DataFile, ...]

    @property
    def size(self) -> int:
        """Bytes of the content, uncompressed."""
        return sum(one.content_bytes for one in self.files)

    def identity(self) -> tuple[str, str, str, str]:
        """Two backups with equal identities of all parts hold the same data."""
        return (self.name, self.type, json.dumps(self.parameters, sort_keys=True), self.content_digest)


class Manifest(NamedTuple):
    """One backup. `created` is the moment its data was read (of an imported one: the file's time)."""

    id: str
    set: str
    kind: str
    created: datetime
    host: str
    tools: dict[str, str]
    compression: str
    duration_s: float
    sources: tuple[SourcePart, ...]
    imported_from: Optional[str] = None
    encryption: Optional[str] = None
    tags: tuple[str, ...] = ()

    @property
    def content_digest(self) -> str:
        """One digest over all sources."""
        return content_digest(self.sources)

    @property
    def files(self) -> list[DataFile]:
        """All data files."""
        return [one for part in self.sources for one in part.files]

    @property
    def size(self) -> int:
        """Bytes of the content, uncompressed."""
        return sum(part.size for part in self.sources)

    @property
    def stored_size(self) -> int:
        """Bytes that the data files take."""
        return sum(one.bytes for one in self.files)

    def to_json(self) -> bytes:
        """The bytes of manifest.json."""
        document: dict[str, Any] = {"format": FORMAT, "version": VERSION}
        document.update(self._asdict())
        document["created"] = format_time(self.created)
        document["content_digest"] = self.content_digest
        document["sources"] = [
            dict(
                part._asdict(),
                collections=[one._asdict() for one in part.collections],
                files=[one._asdict() for one in part.files],
            )
            for part in self.sources
        ]
        return json.dumps(document, indent=2, ensure_ascii=True).encode("ascii") + b"\n"


def content_digest(sources: Sequence[SourcePart]) -> str:
    """SHA-256 over the identities of all sources."""
    return hashlib.sha256(json.dumps([part.identity() for part in sources]).encode()).hexdigest()


def check_set_name(name: str) -> str:
    """A set's name is a directory's name: nothing hidden, nothing that leaves the repository."""
    if not SET.fullmatch(name):
        raise InvalidRequest(
            f"{name!r} can't be the name of a backup set.",
            "Use letters, digits, dots, dashes and underscores, starting with a letter or digit.",
        )
    return name


def sums_of(manifest: Manifest, manifest_bytes: bytes) -> bytes:
    """The bytes of SHA256SUMS: what `sha256sum -c` checks, the manifest included."""
    lines = [f"{one.sha256}  {one.path}" for one in manifest.files]
    lines.append(f"{hashlib.sha256(manifest_bytes).hexdigest()}  {MANIFEST}")
    return ("\n".join(lines) + "\n").encode("utf-8")


def parse(backup_id: str, manifest_bytes: bytes, sums_bytes: bytes) -> Manifest:
    """Read a manifest and check it against SHA256SUMS, and both against the format.

    :raises DamagedBackup: for whatever is wrong, before anything of it is used.
    """
    sums = _parse_sums(backup_id, sums_bytes)
    if sums.pop(MANIFEST, None) != hashlib.sha256(manifest_bytes).hexdigest():
        raise _damaged(backup_id, MANIFEST, f"its digest is not the one in {SUMS}")
    try:
        document = json.loads(manifest_bytes)
        if document["format"] != FORMAT or document["version"] != VERSION:
            raise DamagedBackup(
                backup_id,
                [
                    {
                        "path": MANIFEST,
                        "problem": "format {!r} version {!r} is not known here".format(
                            document["format"], document["version"]
                        ),
                    }
                ],
                "It was probably written by a newer version of day2.ops: upgrade the collection.",
            )
        manifest = _from_document(document)
    except (ValueError, TypeError, KeyError, AttributeError, InvalidRequest) as exc:
        raise _damaged(backup_id, MANIFEST, f"it does not follow the format ({type(exc).__name__}: {exc})") from exc
    problems = _contradictions(backup_id, document, manifest, sums)
    if problems:
        raise DamagedBackup(backup_id, problems)
    return manifest


def _parse_sums(backup_id: str, sums_bytes: bytes) -> dict[str, str]:
    sums: dict[str, str] = {}
    try:
        lines = sums_bytes.decode("utf-8").split("\n")
    except UnicodeDecodeError as exc:
        raise _damaged(backup_id, SUMS, "it is not text") from exc
    if lines.pop() != "":
        raise _damaged(backup_id, SUMS, "its last line is cut off")
    for line in lines:
        match = _SUM.fullmatch(line)
        if not match or match.group(2) in sums:
            raise _damaged(backup_id, SUMS, f"{line[:100]!r} is not a line of sha256sum")
        sums[match.group(2)] = match.group(1)
    return sums


def _from_document(document: Mapping[str, Any]) -> Manifest:
    parts = []
    for part in document["sources"]:
        files = tuple(DataFile(**one) for one in part["files"])
        for one in files:
            _check_file(one)
        collections = tuple(Collection(**one) for one in part["collections"])
        parts.append(SourcePart(**dict(part, files=files, collections=collections)))
    fields = {name: document[name] for name in Manifest._fields if name != "tags"}
    tags = tuple(document.get("tags", ()))  # version 1 began without
    return Manifest(**dict(fields, sources=tuple(parts), created=parse_time(document["created"]), tags=tags))


def _check_file(one: DataFile) -> None:
    """A manifest must not make us read (or, restoring by hand, write) outside its own data directory."""
    steps = one.path.split("/")
    if steps[0] != DATA or len(steps) < 2 or any(step in ("", ".", "..") for step in steps) or "\0" in one.path:
        raise ValueError(f"the path {one.path!r} leaves the backup")
    for number in (one.bytes, one.content_bytes):
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise ValueError(f"{number!r} is not a size")
    for digest in (one.sha256, one.content_sha256):
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is not a digest")


def _contradictions(
    backup_id: str, document: Mapping[str, Any], manifest: Manifest, sums: Mapping[str, str]
) -> list[dict[str, str]]:
    problems = []
    if manifest.id != backup_id:
        problems.append({"path": MANIFEST, "problem": f"it is the manifest of {manifest.id}"})
    if document["content_digest"] != manifest.content_digest:
        problems.append({"path": MANIFEST, "problem": "its content digest is not that of its sources"})
    if manifest.compression not in COMPRESSIONS:
        problems.append({"path": MANIFEST, "problem": f"compression {manifest.compression!r} is not known"})
    if {one.path: one.sha256 for one in manifest.files} != dict(sums):
        problems.append({"path": SUMS, "problem": f"it does not list the same files and digests as {MANIFEST}"})
    return problems


def _damaged(backup_id: str, path: str, problem: str) -> DamagedBackup:
    return DamagedBackup(backup_id, [{"path": path, "problem": problem}])
