# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens encrypted backups: tells from outside who has made one, and from inside what it holds."""

from __future__ import annotations

import hashlib
import io

from .._core.compression import usable
from .._core.compression.base import BLOCK, CorruptStream
from .._core.errors import DamagedBackup, RepositoryError, Unreachable, WrongIdentity
from .base import Listed
from .encryption import Encryption
from .envelope import content_path, equal, marks_of
from .manifest import MANIFEST, Manifest, parse_content
from .recognition import is_recognized

_LARGEST = 64 << 20  # of what is read into memory, as stored and decompressed


class NotOpened(RepositoryError):
    """An encrypted backup for which there is no identity."""


def check_seal(manifest: Manifest) -> None:
    """Raise DamagedBackup for an encrypted backup of this host that was changed since. Of those of other hosts, nobody
    can tell."""
    if is_recognized(manifest) and manifest.envelope is not None:
        seal = marks_of(manifest.id).seal({**manifest.outside(), **manifest.envelope.to_document()})
        if not equal(manifest.envelope.seal, seal):
            problem = "its seal does not match: it was changed after this host had written it"
            raise DamagedBackup(manifest.id, [{"path": MANIFEST, "problem": problem}])


def opened(manifest: Manifest, listed: Listed, encryption: Encryption) -> Manifest:
    """An encrypted backup with what it holds. Without an identity, or with one that it is not encrypted to, it is
    returned as it is. Raises DamagedBackup.
    """
    if manifest.envelope is None or encryption.identity is None:
        return manifest
    try:
        return open_content(manifest, listed, encryption.identity)
    except WrongIdentity:
        return manifest


def open_content(manifest: Manifest, listed: Listed, identity: bytes) -> Manifest:
    """The same. Raises WrongIdentity for an identity that it is not encrypted to."""
    from .._core import age  # only here: see _stores/registry.py

    path = content_path(manifest.compression)
    piece = next(one for one in manifest.objects if one.path == path)

    def damaged(problem: str) -> DamagedBackup:
        return DamagedBackup(manifest.id, [{"path": path, "problem": problem}])

    if piece.bytes > _LARGEST or listed.sizes.get(path) != piece.bytes:
        raise damaged(f"it has {listed.sizes.get(path)} bytes")
    try:
        data = listed.read(path)
    except Unreachable:
        raise
    except RepositoryError as exc:
        raise damaged(exc.message) from exc
    if (len(data), hashlib.sha256(data).hexdigest()) != (piece.bytes, piece.sha256):
        raise damaged("its size or digest differs from that in the manifest")
    try:
        plain = age.decrypted(identity, data)
        with usable(manifest.compression).reader(io.BytesIO(plain)) as reader:
            document = bytearray()
            for block in iter(lambda: reader.read(BLOCK), b""):
                document += block
                if len(document) > _LARGEST:
                    raise damaged(f"its content exceeds {_LARGEST} bytes")
    except CorruptStream as exc:
        raise damaged(exc.message) from exc
    return parse_content(manifest, bytes(document))


def check_opened(manifest: Manifest, listed: Listed, encryption: Encryption) -> None:
    """Raise NotOpened when it is not known what an encrypted backup holds, with the reason; DamagedBackup when not even
    that can be told.
    """
    if manifest.opened:
        return
    from .._core import age  # only here: see _stores/registry.py

    path = content_path(manifest.compression)
    size = listed.sizes.get(path) or 0
    if size > _LARGEST:
        raise DamagedBackup(manifest.id, [{"path": path, "problem": f"it has {size} bytes"}])
    data = listed.read(path)
    others = age.number_of_recipients(data) - 1  # one is of the run that has read it back
    to = f"Backup {manifest.id} is encrypted to {others} recipient{'s' * (others != 1)}"
    if encryption.identity is None:
        raise NotOpened(
            f"{to}, and no identity was given.", "Set identity_file (or identity) to the identity of a recipient."
        )
    raise NotOpened(
        f"{to}, but to none whose identity was given.",
        "Set identity_file (or identity) to the identity of a recipient.",
    )
