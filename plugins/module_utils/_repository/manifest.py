# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a backup, format versions 1 and 2 (docs/FORMAT.md): written once, believed only after checks."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Optional
from urllib.parse import unquote_to_bytes

from .._core.collection import Collection
from .._core.compression import COMPRESSIONS
from .._core.errors import DamagedBackup, InvalidRequest
from .._core.units import format_time, parse_time
from .pieces import Piece, digest_of
from .schema import decode, manifest_rule, mapping, text, whole

FORMAT = "day2.ops backup"
PLAIN = 1  # of backups in directories
REMOTE = 2  # of others: the id tells nothing of the content, and a file may lie in several pieces
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
DATA = "data"

BACKUP = "backup"  # an ordinary one
SAFETY = "safety"  # what a restore or migration has replaced: restored by its id only; may have no data (FORMAT.md)

ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
SET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SUM = re.compile(rb"(\\?)([0-9a-f]{64})  (.+)", re.DOTALL)
_RULES = {version: manifest_rule(version, (BACKUP, SAFETY), COMPRESSIONS) for version in (PLAIN, REMOTE)}

CONTENT = "content"  # read_back: every byte was read back, decompressed and compared


class DataFile(NamedTuple):
    """One file of a backup. `bytes` and `sha256` are of the file as it lies there, content_* of what it holds.

    `parts`: the pieces that it lies in, in order, if they are several.
    """

    path: str
    bytes: int
    sha256: str
    content_bytes: int
    content_sha256: str
    parts: tuple[Piece, ...] = ()

    @property
    def stored(self) -> tuple[Piece, ...]:
        """The pieces that it lies in, in order."""
        return self.parts or (Piece(self.path, self.bytes, self.sha256),)

    def to_document(self) -> dict[str, Any]:
        """As the manifest has it."""
        document = self._asdict()
        document["parts"] = [one._asdict() for one in self.parts]
        return document if self.parts else {key: value for key, value in document.items() if key != "parts"}


class SourcePart(NamedTuple):
    """The part of a backup that belongs to one store."""

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
        """Size of the content in bytes, uncompressed."""
        return sum(one.content_bytes for one in self.files)

    def identity(self) -> tuple[str, str, str, str]:
        """The identity of the data: two backups with equal identities of all parts contain the same data."""
        return (self.name, self.type, json.dumps(self.parameters, sort_keys=True), self.content_digest)


class Manifest(NamedTuple):
    """One backup. `created` is the time at which its data was read (of an imported one: the time of the file)."""

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
    version: int = PLAIN
    read_back: str = CONTENT

    @property
    def content_digest(self) -> str:
        """One digest over all sources."""
        return content_digest(self.sources)

    @property
    def files(self) -> list[DataFile]:
        """All data files."""
        return [one for part in self.sources for one in part.files]

    @property
    def pieces(self) -> dict[str, int]:
        """The size of each stored object of data."""
        return {piece.path: piece.bytes for one in self.files for piece in one.stored}

    @property
    def size(self) -> int:
        """Size of the content in bytes, uncompressed."""
        return sum(part.size for part in self.sources)

    @property
    def stored_size(self) -> int:
        """Size of the data files in bytes, as stored."""
        return sum(one.bytes for one in self.files)

    def to_json(self) -> bytes:
        """The bytes of manifest.json."""
        document: dict[str, Any] = {"format": FORMAT, "version": self.version}
        document.update(self._asdict())
        if self.version == PLAIN:
            del document["read_back"]
        document["created"] = format_time(self.created)
        document["content_digest"] = self.content_digest
        document["sources"] = [
            dict(
                part._asdict(),
                collections=[one._asdict() for one in part.collections],
                files=[one.to_document() for one in part.files],
            )
            for part in self.sources
        ]
        return json.dumps(document, indent=2, ensure_ascii=True).encode("ascii") + b"\n"


def content_digest(sources: Sequence[SourcePart]) -> str:
    """SHA-256 over the identities of all sources."""
    return hashlib.sha256(json.dumps([part.identity() for part in sources]).encode()).hexdigest()


def check_set_name(name: str) -> str:
    """Check that the name of a set can be the name of a visible directory within the repository."""
    if not SET.fullmatch(name):
        raise InvalidRequest(
            f"{name!r} can't be the name of a backup set.",
            "Use letters, digits, dots, dashes and underscores, starting with a letter or digit.",
        )
    return name


def key_of(name: str) -> str:
    """A name as a key of an object store, and as version 2 has it: what such a store could not keep is %XX."""
    return "".join(
        one if one.isprintable() and one not in "%\\" else "".join(f"%{byte:02X}" for byte in os.fsencode(one))
        for one in name
    )


def name_of(key: str) -> str:
    """The name that a key stands for."""
    return os.fsdecode(unquote_to_bytes(key))


def sums_of(manifest: Manifest, manifest_bytes: bytes) -> bytes:
    """The bytes of SHA256SUMS, as `sha256sum -c` reads it, with the manifest."""
    sums = [(piece.sha256, piece.path) for one in manifest.files for piece in one.stored]
    sums.append((hashlib.sha256(manifest_bytes).hexdigest(), MANIFEST))
    return b"".join(_sum_line(digest, path) for digest, path in sums)


def _sum_line(digest: str, path: str) -> bytes:
    """A line as sha256sum writes it: a name with a backslash or a line end is escaped, after a backslash."""
    name = path.encode("utf-8", "surrogateescape")
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return (b"\\" if escaped != name else b"") + digest.encode("ascii") + b"  " + escaped + b"\n"


def parse(backup_id: str, manifest_bytes: bytes, sums_bytes: bytes) -> Manifest:
    """Read a manifest and check it against SHA256SUMS, and both against the format.

    Raises DamagedBackup for any problem, before anything of it is used.
    """
    sums = _parse_sums(backup_id, sums_bytes)
    if sums.pop(MANIFEST, None) != hashlib.sha256(manifest_bytes).hexdigest():
        raise _damaged(backup_id, MANIFEST, f"its digest differs from that in {SUMS}")
    try:
        document = decode(manifest_bytes)
        mapping({"format": text, "version": whole()})(document, "")
        if document["format"] != FORMAT or document["version"] not in _RULES:
            raise _unknown_format(backup_id, document)
        _RULES[document["version"]](document, "")
    except ValueError as exc:
        raise _damaged(backup_id, MANIFEST, f"it does not follow the format: {exc}") from exc
    manifest = _from_document(document)
    problems = _contradictions(backup_id, document, manifest, sums)
    if problems:
        raise DamagedBackup(backup_id, problems)
    return manifest


def _unknown_format(backup_id: str, document: Mapping[str, Any]) -> DamagedBackup:
    problem = f"format {document['format']!r} version {document['version']!r} is not supported"
    hint = "It was probably written by a newer version of day2.ops: upgrade the collection."
    return DamagedBackup(backup_id, [{"path": MANIFEST, "problem": problem}], hint)


def _parse_sums(backup_id: str, sums_bytes: bytes) -> dict[str, str]:
    sums: dict[str, str] = {}
    lines = sums_bytes.split(b"\n")
    if lines.pop() != b"":
        raise _damaged(backup_id, SUMS, "its last line is incomplete")
    for line in lines:
        match = _SUM.fullmatch(line)
        name = None if match is None else _unescaped(match[3]) if match[1] else match[3]
        path = (name or b"").decode("utf-8", "surrogateescape")
        if match is None or not path or path in sums:
            raise _damaged(backup_id, SUMS, f"{ascii(line[:100])[1:]} is not a line of sha256sum")
        sums[path] = match[2].decode("ascii")
    return sums


def _unescaped(name: bytes) -> Optional[bytes]:
    """The name in an escaped line, or None if it is invalid."""
    if not re.fullmatch(rb"(?:[^\\]|\\[\\nr])+", name):
        return None
    return re.sub(rb"\\(.)", lambda match: {b"\\": b"\\", b"n": b"\n", b"r": b"\r"}[match[1]], name)


def _from_document(document: Mapping[str, Any]) -> Manifest:
    """The manifest in a document that follows the schema. Keys that its version does not have are left out."""
    remote = document["version"] == REMOTE
    parts = tuple(
        _make(
            SourcePart,
            part,
            files=tuple(_make(DataFile, one, parts=_pieces(one) if remote else ()) for one in part["files"]),
            collections=tuple(_make(Collection, one) for one in part["collections"]),
        )
        for part in document["sources"]
    )
    tags = tuple(document.get("tags", ()))  # missing in the first manifests of version 1
    read_back = document["read_back"] if remote else CONTENT
    created = parse_time(document["created"])
    made: Manifest = _make(Manifest, document, sources=parts, created=created, tags=tags, read_back=read_back)
    return made


def _pieces(file: Mapping[str, Any]) -> tuple[Piece, ...]:
    return tuple(_make(Piece, one) for one in file.get("parts", ()))


def _make(kind: Any, document: Mapping[str, Any], **replaced: Any) -> Any:
    return kind(**{name: replaced[name] if name in replaced else document[name] for name in kind._fields})


def _contradictions(
    backup_id: str, document: Mapping[str, Any], manifest: Manifest, sums: Mapping[str, str]
) -> list[dict[str, str]]:
    problems = []
    if manifest.id != backup_id:
        problems.append({"path": MANIFEST, "problem": f"it is the manifest of {manifest.id}"})
    if document["content_digest"] != manifest.content_digest:
        problems.append({"path": MANIFEST, "problem": "its content digest does not match its sources"})
    names = [part.name for part in manifest.sources]
    if len(set(names)) < len(names):
        problems.append({"path": MANIFEST, "problem": "two of its sources have the same name"})
    if manifest.kind != SAFETY and not all(part.files for part in manifest.sources):
        problems.append({"path": MANIFEST, "problem": "a source has no data files"})
    paths = [one.path for one in manifest.files]
    pieces = [piece for one in manifest.files for piece in one.stored]
    if len(set(paths)) < len(paths) or len({one.path for one in pieces}) < len(pieces):
        problems.append({"path": MANIFEST, "problem": "it lists a file twice"})
    for one in manifest.files:
        if (one.bytes, one.sha256) != (sum(piece.bytes for piece in one.stored), digest_of(one.stored)):
            problems.append({"path": MANIFEST, "problem": f"the parts of {one.path} are not those of the file"})
    if {one.path: one.sha256 for one in pieces} != dict(sums):
        problems.append({"path": SUMS, "problem": f"it does not list the same files and digests as {MANIFEST}"})
    return problems


def _damaged(backup_id: str, path: str, problem: str) -> DamagedBackup:
    return DamagedBackup(backup_id, [{"path": path, "problem": problem}])
