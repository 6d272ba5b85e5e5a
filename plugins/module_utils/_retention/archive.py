# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives: destinations of cold entries. To add a kind: a file like s3.py, its test, and a line in `open_archive`.

A file counts as archived once its copy has been read back from the archive with the same SHA-256; only then may the
local file be removed. Existing files are never overwritten: the same content counts as archived (by a killed run),
other content is an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Protocol

from .._core.compress_file import existing_size, prepare, publish
from .._core.compression import COMPRESSIONS
from .._core.errors import TargetError
from .._core.files import make_private_directory, os_errors, prepared_name, resolve
from .._core.secure_directory import SecureDirectory


class Archive(Protocol):
    """One destination."""

    def put(self, source: SecureDirectory, name: str, key: str) -> None:
        """Store the file `name` under `key` (a relative path), verified and durable. The file itself is kept.

        Raises Day2Error when it could not be stored, or the key has other content.
        """

    def check(self, source: SecureDirectory, name: str, key: str) -> None:
        """Determine whether `put` would be refused; reads only.

        Raises Day2Error when the key has other content.
        """


class DirectoryArchive:
    """A directory of the host: another disk, a mounted share.

    :param path: absolute; created (0700) when the first file is archived.
    :param lock_timeout: seconds to wait for another run that archives to the same place.
    """

    def __init__(self, path: str, lock_timeout: float) -> None:
        self._path = resolve(path, TargetError)
        self._lock_timeout = lock_timeout

    def put(self, source: SecureDirectory, name: str, key: str) -> None:
        folder = os.path.join(self._path, os.path.dirname(key))
        _check_writable(folder, name)
        with os_errors(TargetError, "Can't create the archive directory", folder):
            make_private_directory(folder)
        with SecureDirectory(folder) as place:
            _refuse_same(source, place)
            place.lock(self._lock_timeout)
            _remove_prepared(place, name)
            # the same name in both: `prepare` appends the suffix of the compression, here ""
            copy = prepare(source, name, COMPRESSIONS["none"], target=place)
            publish(copy)
            with place.errors("Can't sync", copy.final):
                place.sync()

    def check(self, source: SecureDirectory, name: str, key: str) -> None:
        folder = os.path.join(self._path, os.path.dirname(key))
        if os.path.lexists(folder):
            with SecureDirectory(folder) as place:
                _refuse_same(source, place)
                existing_size(source, name, COMPRESSIONS["none"], place)
        _check_writable(folder, name)


def _check_writable(folder: str, name: str) -> None:
    """Raise Day2Error when the file does not exist and can't be created."""
    exists = os.path.lexists(folder)
    with SecureDirectory(folder if exists else _existing_above(folder)) as place:
        if not exists or not place.exists(name):
            place.check_writable()


def _existing_above(path: str) -> str:
    """The nearest parent that exists: the others are created in it."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


def _refuse_same(source: SecureDirectory, place: SecureDirectory) -> None:
    """A file is not a copy of itself, whatever paths (links, bind mounts) lead to it."""
    if os.path.samestat(os.fstat(source.fd), os.fstat(place.fd)):
        raise TargetError(
            f"{source.path} is the same directory as {place.path}, to which it would be archived.",
            "Choose another destination.",
        )


def _remove_prepared(place: SecureDirectory, name: str) -> None:
    """Remove files that killed runs have prepared for this name; the caller holds the lock."""
    pattern = re.compile(re.escape(prepared_name(name)[:-8]) + "[0-9a-f]{8}")
    for one in place.names():
        if pattern.fullmatch(one):
            with place.errors("Can't remove", one):
                place.unlink(one)


def open_archive(destination: str, s3: Mapping[str, Any], lock_timeout: float) -> Archive:
    """The archive at a destination. Raises InvalidRequest when it is not valid, MissingDependency when a required
    library is not installed.
    """
    if destination.startswith("s3://"):
        from .s3 import S3Archive  # only here: only S3 requires boto3

        return S3Archive(destination, s3)
    return DirectoryArchive(destination, lock_timeout)
