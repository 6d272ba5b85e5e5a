# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a backup, format versions 1 and 2 (docs/FORMAT.md): written once, trusted only after checks."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from .._core.collection import Collection
from .._core.compression import COMPRESSIONS
from .._core.errors import DamagedBackup, InvalidRequest
from .._core.units import format_time, parse_time
from . import envelope as envelopes
from .envelope import AGE, Envelope, content_path
from .pieces import Piece, digest_of
from .schema import content_rule, decode, envelope_rule, manifest_rule, mapping, one_of, text, whole
from .sums import parse_sums, written

FORMAT = "day2.ops backup"
PLAIN = 1  # of backups in directories
REMOTE = 2  # of others: the id tells nothing of the content, and a file may lie in several pieces
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
DATA = "data"

BACKUP = "backup"  # an ordinary one
REFERENCE = "reference"  # as a backup, but its data is kept elsewhere, and its files only refer to it
SAFETY = "safety"  # what a restore or migration has replaced: restored by its id only; may have no data (FORMAT.md)
PURGE = "purge"  # an export of records before they were deleted: no backup of a store, and restored by hand
ORDINARY = (BACKUP, REFERENCE)  # what can count as a backup
KINDS = (*ORDINARY, SAFETY, PURGE)

ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
SET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_RULES = {version: manifest_rule(version, KINDS, COMPRESSIONS) for version in (PLAIN, REMOTE)}
_ENVELOPE = envelope_rule(KINDS, COMPRESSIONS)
_INSIDE = content_rule(KINDS, COMPRESSIONS)

CONTENT = "content"  # read_back: every byte was read back, decompressed and compared
CHECKSUM = "checksum"  # the server computed the checksum of what was sent to it


class DataFile(NamedTuple):
    """One file of a backup. `bytes` and `sha256` are of the file as it lies there, content_* of what it holds.

    `parts`: the pieces that it lies in, in order, if they are several, or encrypted. `packed`: these are a tar archive
    of several files.
    """

    path: str
    bytes: int
    sha256: str
    content_bytes: int
    content_sha256: str
    parts: tuple[Piece, ...] = ()
    packed: bool = False

    @property
    def stored(self) -> tuple[Piece, ...]:
        """The pieces that it lies in, in order."""
        return self.parts or (Piece(self.path, self.bytes, self.sha256),)

    def to_document(self) -> dict[str, Any]:
        """As the manifest has it."""
        document = dict(self._asdict(), parts=[one._asdict() for one in self.parts])
        return {key: value for key, value in document.items() if value or key not in ("parts", "packed")}


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
    """One backup. `created` is the time at which its data was read (of an imported one: the time of the file).

    `envelope`: of an encrypted one. Until it was opened, it has no sources, and host, set, tags and the like are empty.
    """

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
    envelope: Optional[Envelope] = None
    copy_of: Optional[str] = None  # of a copy that was encrypted on the way: the id of the original

    @property
    def opened(self) -> bool:
        """Whether it is known what the backup holds."""
        return self.envelope is None or bool(self.sources)

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
        return {piece.path: piece.bytes for piece in self.objects}

    @property
    def objects(self) -> tuple[Piece, ...]:
        """All stored objects of data."""
        if self.envelope is not None:
            return self.envelope.objects
        return tuple(piece for one in self.files for piece in one.stored)

    @property
    def size(self) -> int:
        """Size of the content in bytes, uncompressed."""
        return sum(part.size for part in self.sources)

    @property
    def stored_size(self) -> int:
        """Size of the data files in bytes, as stored."""
        return sum(one.bytes for one in self.objects)

    def to_json(self) -> bytes:
        """The bytes of manifest.json; of an encrypted backup, what is not encrypted of it."""
        document: dict[str, Any] = {"format": FORMAT, "version": self.version}
        if self.envelope is not None:
            document.update(self.outside(), **self.envelope.to_document())
            return json.dumps(document, indent=2, ensure_ascii=True).encode("ascii") + b"\n"
        document.update(self._asdict())
        del document["envelope"]
        if self.version == PLAIN:
            del document["read_back"]
        if self.copy_of is None:
            del document["copy_of"]
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

    def outside(self) -> dict[str, Any]:
        """What an encrypted backup shows beside its envelope."""
        return {
            "id": self.id,
            "kind": self.kind,
            "created": format_time(self.created),
            "compression": self.compression,
            "encryption": AGE,
            "read_back": self.read_back,
        }


def content_digest(sources: Sequence[SourcePart]) -> str:
    """SHA-256 over the identities of all sources."""
    return hashlib.sha256(json.dumps([part.identity() for part in sources]).encode()).hexdigest()


def random_id(created: datetime) -> str:
    """The id of a backup that tells nothing of its content but its time."""
    return f"{created.astimezone(timezone.utc).strftime('%Y%m%dT%H%M%SZ')}-{secrets.token_hex(4)}"


def check_set_name(name: str) -> str:
    """Check that the name of a set can be the name of a visible directory within the repository."""
    if not SET.fullmatch(name):
        raise InvalidRequest(
            f"{name!r} can't be the name of a backup set.",
            "Use letters, digits, dots, dashes and underscores, starting with a letter or digit.",
        )
    return name


def sums_of(manifest: Manifest, manifest_bytes: bytes) -> bytes:
    """The bytes of SHA256SUMS, with the manifest."""
    return written(
        [*manifest.objects, Piece(MANIFEST, len(manifest_bytes), hashlib.sha256(manifest_bytes).hexdigest())]
    )


def parse(backup_id: str, manifest_bytes: bytes, sums_bytes: bytes) -> Manifest:
    """Read a manifest and check it against SHA256SUMS, and both against the format.

    Raises DamagedBackup for any problem, before anything of it is used.
    """
    try:
        sums = parse_sums(sums_bytes)
    except ValueError as exc:
        raise _damaged(backup_id, SUMS, str(exc)) from exc
    if sums.pop(MANIFEST, None) != hashlib.sha256(manifest_bytes).hexdigest():
        raise _damaged(backup_id, MANIFEST, f"its digest differs from that in {SUMS}")
    try:
        document = decode(manifest_bytes)
        mapping({"format": text, "version": whole()})(document, "")
        if document["format"] != FORMAT or document["version"] not in _RULES:
            raise _unknown_format(backup_id, document)
        encrypted = document["version"] == REMOTE and document.get("encryption") is not None
        (_ENVELOPE if encrypted else _RULES[document["version"]])(document, "")
    except ValueError as exc:
        raise _damaged(backup_id, MANIFEST, f"it does not follow the format: {exc}") from exc
    if encrypted:
        return _closed(backup_id, document, sums)
    manifest = _from_document(document)
    problems = _contradictions(backup_id, document, manifest, sums)
    if problems:
        raise DamagedBackup(backup_id, problems)
    return manifest


def _closed(backup_id: str, document: Mapping[str, Any], sums: Mapping[str, str]) -> Manifest:
    """An encrypted backup, as it looks from outside."""
    envelope = envelopes.from_document(document)
    manifest = Manifest(
        id=document["id"],
        set="",
        kind=document["kind"],
        created=parse_time(document["created"]),
        host="",
        tools={},
        compression=document["compression"],
        duration_s=0.0,
        sources=(),
        encryption=AGE,
        version=REMOTE,
        read_back=document["read_back"],
        envelope=envelope,
    )
    problems = _wrong_id(backup_id, manifest) + _wrong_sums(manifest, sums)
    if len({one.path for one in envelope.objects}) < len(envelope.objects):
        problems.append({"path": MANIFEST, "problem": "it lists an object twice"})
    if content_path(manifest.compression) not in manifest.pieces:
        problems.append({"path": MANIFEST, "problem": f"it does not list {content_path(manifest.compression)}"})
    if problems:
        raise DamagedBackup(backup_id, problems)
    return manifest


def parse_content(outside: Manifest, data: bytes) -> Manifest:
    """The whole of an encrypted backup, from the outside of it and what it has encrypted in content.json. Raises
    DamagedBackup for any problem, before anything of it is used.
    """
    path = content_path(outside.compression)
    try:
        document = decode(data)
        mapping({"format": one_of(FORMAT), "version": whole(REMOTE, REMOTE)})(document, "")
        _INSIDE(document, "")
    except ValueError as exc:
        raise _damaged(outside.id, path, f"it does not follow the format: {exc}") from exc
    inside = _from_document(document)
    problems = _contradictions(outside.id, document, inside, None)
    if inside.outside() != outside.outside():
        problems.append({"path": path, "problem": f"it does not belong to this {MANIFEST}"})
    files = {piece for one in inside.files for piece in one.stored}
    if files != {piece for piece in outside.objects if not piece.path.startswith(path)}:
        problems.append({"path": path, "problem": f"it does not list the same objects as {MANIFEST}"})
    if problems:
        raise DamagedBackup(outside.id, problems)
    return inside._replace(envelope=outside.envelope)


def _wrong_id(backup_id: str, manifest: Manifest) -> list[dict[str, str]]:
    if manifest.id == backup_id:
        return []
    return [{"path": MANIFEST, "problem": f"it is the manifest of {manifest.id}"}]


def _wrong_sums(manifest: Manifest, sums: Mapping[str, str]) -> list[dict[str, str]]:
    if {one.path: one.sha256 for one in manifest.objects} == dict(sums):
        return []
    return [{"path": SUMS, "problem": f"it does not list the same files and digests as {MANIFEST}"}]


def _unknown_format(backup_id: str, document: Mapping[str, Any]) -> DamagedBackup:
    problem = f"format {document['format']!r} version {document['version']!r} is not supported: upgrade the collection"
    hint = "It was probably written by a newer version of day2.ops."
    return DamagedBackup(backup_id, [{"path": MANIFEST, "problem": problem}], hint)


def _from_document(document: Mapping[str, Any]) -> Manifest:
    """The manifest in a document that follows the schema. Keys that its version does not have are left out."""
    remote = document["version"] == REMOTE
    parts = tuple(
        _make(
            SourcePart,
            part,
            files=tuple(_file(one, remote) for one in part["files"]),
            collections=tuple(_make(Collection, one) for one in part["collections"]),
        )
        for part in document["sources"]
    )
    tags = tuple(document.get("tags", ()))  # missing in the first manifests of version 1
    read_back = document["read_back"] if remote else CONTENT
    created = parse_time(document["created"])
    made: Manifest = _make(
        Manifest,
        document,
        sources=parts,
        created=created,
        tags=tags,
        read_back=read_back,
        envelope=None,
        copy_of=document.get("copy_of"),
    )
    return made


def _file(one: Mapping[str, Any], remote: bool) -> DataFile:
    packed = remote and one.get("packed", False)
    made: DataFile = _make(DataFile, one, parts=_pieces(one) if remote else (), packed=packed)
    return made


def _pieces(file: Mapping[str, Any]) -> tuple[Piece, ...]:
    return tuple(_make(Piece, one) for one in file.get("parts", ()))


def _make(kind: Any, document: Mapping[str, Any], **replaced: Any) -> Any:
    return kind(**{name: replaced[name] if name in replaced else document[name] for name in kind._fields})


def _contradictions(
    backup_id: str, document: Mapping[str, Any], manifest: Manifest, sums: Optional[Mapping[str, str]]
) -> list[dict[str, str]]:
    """
    :param sums: None: of what an encrypted backup has inside, there are none.
    """
    problems = _wrong_id(backup_id, manifest)
    if document["content_digest"] != manifest.content_digest:
        problems.append({"path": MANIFEST, "problem": "its content digest does not match its sources"})
    names = [part.name for part in manifest.sources]
    if len(set(names)) < len(names):
        problems.append({"path": MANIFEST, "problem": "two of its sources have the same name"})
    if manifest.kind != SAFETY and not all(part.files for part in manifest.sources):
        problems.append({"path": MANIFEST, "problem": "a source has no data files"})
    paths = [one.path for one in manifest.files]
    packs = {one.stored for one in manifest.files if one.packed}
    stored = [one.stored for one in manifest.files if not one.packed]
    pieces = [piece for some in [*stored, *packs] for piece in some]
    if len(set(paths)) < len(paths) or len({one.path for one in pieces}) < len(pieces):
        problems.append({"path": MANIFEST, "problem": "it lists a file twice"})
    for one in manifest.files:
        if (one.bytes, one.sha256) != (sum(piece.bytes for piece in one.stored), digest_of(one.stored)):
            problems.append({"path": MANIFEST, "problem": f"the parts of {one.path} are not those of the file"})
    return problems if sums is None else problems + _wrong_sums(manifest, sums)


def _damaged(backup_id: str, path: str, problem: str) -> DamagedBackup:
    return DamagedBackup(backup_id, [{"path": path, "problem": problem}])
