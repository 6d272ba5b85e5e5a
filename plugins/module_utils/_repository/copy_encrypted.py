# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies backups that are not encrypted to a repository where they are to be."""

from __future__ import annotations

from .._core.compression import usable
from .._core.compression.base import BLOCK
from .._core.errors import DamagedBackup, RepositoryError
from .copying import Copying, taken_over
from .encrypted_files import EncryptedFiles
from .encryption import require
from .manifest import DATA, REMOTE, DataFile, Manifest, SourcePart, parse, sums_of
from .reading import BackupCopy, Packs, load, open_data, quick_problems
from .storing import Content


def copy_encrypted(copying: Copying, backup_id: str) -> Manifest:
    """Copy a backup that the target lacks, encrypted to the recipients of the target, and read it back decrypted. The
    copy gets an id of its own, as its bytes differ from those of every other one.

    Raises DamagedBackup when the source differs from its manifest. Nothing is left of an interrupted copy.
    """
    source, target, name = copying.source, copying.target, copying.name
    with source.hold(name, backup_id):
        listed = source.look(name, backup_id)
        manifest = load(listed)
        problems = quick_problems(listed, manifest)
        if problems:
            raise DamagedBackup(backup_id, problems)
        with target.stage(name, manifest.created) as staging:
            copied_id = str(staging.id)  # one that tells nothing of the content, as the target encrypts
            files = EncryptedFiles(staging, usable(manifest.compression), target.encryption.recipients)
            copying.progress.start(f"Copying {name}/{backup_id}", 2 * manifest.size, "bytes")
            packs = Packs(source, name, manifest)
            written = [(part, _write(copying, packs, part, files)) for part in manifest.sources]
            parts = tuple(part._replace(files=_sealed(copying, files, contents)) for part, contents in written)
            inside = manifest._replace(
                id=copied_id, version=REMOTE, sources=parts, copy_of=backup_id, read_back=staging.read_back
            )
            shown = files.enclose(inside)
            document = shown.to_json()
            sums = sums_of(shown, document)
            if parse(copied_id, document, sums).to_json() != document:
                raise RepositoryError(f"The manifest of the copy of {backup_id} differs when it is read back.")
            require(target, name, manifest.created)
            if not staging.publish(copied_id, document, sums):
                raise taken_over(target.path(name, copied_id))
    return shown


def _write(copying: Copying, packs: Packs, part: SourcePart, files: EncryptedFiles) -> list[Content]:
    manifest = packs.where[2]
    folder = "" if len(manifest.sources) == 1 else part.name
    contents = []
    for one in part.files:
        path = files.path(f"{DATA}/{folder}" if folder else DATA, BackupCopy.name_of_file(one, folder, manifest))
        with open_data(packs, one, copying.progress) as reader, files.file(path) as target:
            for data in iter(lambda: reader.read(BLOCK), b""):
                target.write(data)
        contents.append(Content(path, one.content_bytes, one.content_sha256))
    return contents


def _sealed(copying: Copying, files: EncryptedFiles, contents: list[Content]) -> tuple[DataFile, ...]:
    return tuple(files.seal(one, copying.progress.advance) for one in contents)
