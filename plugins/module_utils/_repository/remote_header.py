# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a remote repository says of itself, in .day2/repository.json, and whether its server still keeps to it."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any, Optional

from .._core import host_state
from .._core.errors import Day2Error, RepositoryError
from .objects import CONDITIONAL, LISTING, VERSIONS, Objects

_PATH = ".day2/repository.json"
_FORMAT = "day2.ops repository"
_VERSION = 1
_LOCKS = (CONDITIONAL, VERSIONS, LISTING)
_PROBE = "probe"
_AGAIN = 30 * 86400.0  # seconds after which each host probes again


class Header:
    """Written once, by the first run that writes. All hosts lock as it says."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._known: Optional[dict[str, Any]] = None

    def known(self) -> Optional[dict[str, Any]]:
        """What the repository says of itself; None: nothing was ever written here."""
        if self._known is None:
            data = self._objects.read(_PATH)
            self._known = None if data is None else self._checked(data)
            if self._known is not None:
                self._objects.exclusive = self._known["lock"]
        return self._known

    def _checked(self, data: bytes) -> dict[str, Any]:
        try:
            header = json.loads(data)
            known = header["format"] == _FORMAT and header["version"] == _VERSION and header["lock"] in _LOCKS
            newer = header["format"] == _FORMAT and not known
        except (ValueError, KeyError, TypeError, RecursionError):
            known = newer = False
        # the id is part of paths on this host
        if known and re.fullmatch("[0-9a-f]{32}", str(header.get("id"))):
            return dict(header)
        raise RepositoryError(
            f"{self._objects.location}/{_PATH} is not valid: the repository can't be used.",
            "It was probably written by a newer version of day2.ops: upgrade the collection."
            if newer
            else "It is damaged. Remove it, and the next backup writes a new one.",
        )

    def begun(self) -> dict[str, Any]:
        """The header, written by this run if there is none."""
        header = self.known()
        if header is None:
            document: dict[str, Any] = {
                "format": _FORMAT,
                "version": _VERSION,
                "id": secrets.token_hex(16),
                "lock": self._objects.probe(),
            }
            self._objects.exclusive = document["lock"]
            if self._objects.create(_PATH, json.dumps(document, indent=2).encode() + b"\n"):
                self._known = document
                self._note(document)
            header = self.known()  # another run may have been first
        if header is None:
            raise RepositoryError(f"{self._objects.location}/{_PATH} was written, but can't be read back.")
        self.check_way(header)
        return header

    def check_way(self, header: Mapping[str, Any]) -> None:
        """Two kinds of locks do not exclude each other. Raises RepositoryError."""
        if header["lock"] not in self._objects.ways:
            own, other = ("rclone:", "s3://") if LISTING in self._objects.ways else ("s3://", "rclone:")
            raise RepositoryError(
                f"{self._objects.location} can only be read: backups are written to this repository through {other}.",
                f"Set repository to its {other} address: locks through {own} and {other} do not exclude each other.",
            )

    def check_server(self) -> None:
        """Raise RepositoryError when the server does not refuse any more to create what exists, although the header
        relies on that. Each host looks itself, by writing: when it first writes, after a change, and after 30 days.
        """
        header = self.begun()
        if header["lock"] != CONDITIONAL:  # versions are looked for by each run, and a listing guarantees nothing
            return
        noted = host_state.read(header["id"], _PROBE)
        at, now = noted.get("at"), time.time()
        if isinstance(at, (int, float)) and now - _AGAIN < at <= now and noted.get("of") == self._objects.traits():
            return
        if self._objects.probe() != CONDITIONAL:
            raise RepositoryError(
                f"{self._objects.location} can't be written to any more: its server no longer supports conditional "
                "writes, as it did when the repository was created.",
                "Two runs could overwrite each other's objects. Correct endpoint_url in s3, or begin another "
                "repository.",
            )
        self._note(header)

    def _note(self, header: Mapping[str, Any]) -> None:
        with contextlib.suppress(Day2Error):  # the next run looks again
            host_state.write({"at": int(time.time()), "of": self._objects.traits()}, header["id"], _PROBE)
