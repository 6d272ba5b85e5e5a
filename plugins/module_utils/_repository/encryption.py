# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of encryption, and what a host remembers of it."""

from __future__ import annotations

import contextlib
import hashlib
import resource
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from .._core import host_state
from .._core.errors import InvalidRequest, RepositoryError
from .._core.units import format_time, parse_time
from .envelope import equal, marks_of
from .manifest import Manifest
from .recognition import is_recognized

if TYPE_CHECKING:
    from .._core.compression.base import Readable
    from .base import Repository

_REQUIRED = "encrypted"
PLANTED = "it is not encrypted, although this host encrypts the backups of the set"


class Encryption(NamedTuple):
    """To whom new backups are encrypted, and what old ones are decrypted with."""

    recipients: tuple[str, ...] = ()
    optional: bool = False  # new backups need not be encrypted, although others of the set are
    identity: Optional[bytes] = None
    allow_unencrypted: bool = False  # a restore may use a backup that is not encrypted, although others of the set are

    def fits(self, manifest: Manifest) -> bool:
        """Whether a backup is encrypted to these recipients, or to none if there are none. Of a backup that another
        host has encrypted, nobody can tell."""
        if manifest.envelope is None:
            return not self.recipients
        marks = marks_of(manifest.id)
        recognized = bool(self.recipients) and is_recognized(manifest)  # otherwise nobody has checked its seal
        return recognized and equal(manifest.envelope.recipients, marks.recipients(self.recipients))

    @contextlib.contextmanager
    def decrypting(self, source: Readable) -> Iterator[Readable]:
        """Decrypt a stream with the identity. Raises as `age.decrypting`."""
        from .._core import age  # only here: see _stores/registry.py

        with age.decrypting(self.identity or b"", source) as reader:
            yield reader


NOT_ENCRYPTED = Encryption()


def encryption_from(params: Mapping[str, Any]) -> Encryption:
    """Check the options. Raises InvalidRequest, or MissingDependency when age is missing."""
    if not any(params.get(option) for option in ("encrypt_to", "identity", "identity_file")):
        return Encryption((), params.get("encryption") == "optional", None, bool(params.get("allow_unencrypted")))
    from .._core import age  # only here: see _stores/registry.py

    _write_no_core()
    recipients = age.recipients_from(params.get("encrypt_to") or ())
    age.check(recipients)
    if params.get("identity") and params.get("identity_file"):
        raise InvalidRequest("identity and identity_file are mutually exclusive.", "Set only one of them.")
    identity = None
    if params.get("identity"):
        identity = age.identities_from(params["identity"], "identity")
    elif params.get("identity_file"):
        identity = age.identities_from(_read(params["identity_file"], age.MOST + 1), "identity_file")
    return Encryption(
        recipients,
        params.get("encryption") == "optional",
        identity,
        bool(params.get("allow_unencrypted")),
    )


def _write_no_core() -> None:
    """What is encrypted, and the identity, must not be in a file because a process of this run has crashed."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def _read(path: str, most: int) -> str:
    try:
        with open(path, "rb") as handle:
            return handle.read(most).decode(errors="surrogateescape")
    except OSError as exc:
        raise InvalidRequest(f"identity_file {path} can't be read: {exc.strerror}.") from exc


def required_since(repository: Repository, name: str) -> Optional[datetime]:
    """Since when this host writes encrypted backups into a set; None: it does not. Nobody who can only write to the
    repository can change that."""
    where = (_REQUIRED, place_of(repository.place), name)
    if not host_state.exists(*where):
        return None
    try:
        return parse_time(host_state.read(*where)["since"])
    except (InvalidRequest, KeyError, TypeError, AttributeError):  # damaged: it is not known since when, but that it is
        return datetime.min.replace(tzinfo=timezone.utc)


def require(repository: Repository, name: str, created: datetime) -> None:
    """From the time of this backup on, one of the set that is not encrypted is refused."""
    if required_since(repository, name) is None and not repository.encrypts:
        host_state.write(
            {"location": repository.location, "since": format_time(created)},
            _REQUIRED,
            place_of(repository.place),
            name,
        )


def release(repository: Repository, name: str) -> None:
    """The user has decided that backups of the set need not be encrypted any more."""
    if required_since(repository, name) is not None:
        host_state.remove(_REQUIRED, place_of(repository.place), name)


def is_planted(repository: Repository, name: str, manifest: Manifest) -> bool:
    """Whether a backup is not encrypted, although this host has only written encrypted ones since before it."""
    if manifest.envelope is not None or repository.encryption.optional or repository.encryption.allow_unencrypted:
        return False
    since = required_since(repository, name)
    return since is not None and manifest.created > since


def check_trusted(repository: Repository, name: str, manifest: Manifest) -> None:
    """Raise RepositoryError for a backup that is not encrypted, where those of the set should be."""
    wanted = repository.encryption.identity is not None or required_since(repository, name) is not None
    if manifest.envelope is None and wanted and not repository.encrypts and not repository.encryption.allow_unencrypted:
        raise RepositoryError(
            f"Backup {manifest.id} of {name} is not encrypted, so another program may have written it.",
            "Nothing was changed. If it was made before encryption was set up, set allow_unencrypted=true.",
        )


def check_plain_allowed(repository: Repository, name: str, newest: Optional[Manifest]) -> None:
    """Raise InvalidRequest when a new backup would not be encrypted, although others of the set are."""
    if repository.hides_names and not repository.encryption.recipients:
        raise InvalidRequest(
            "names_key requires encrypted backups, as other manifests contain the name.", "Set encrypt_to."
        )
    if repository.encryption.recipients or repository.encryption.optional or repository.encrypts:
        return
    if required_since(repository, name) is not None or (newest is not None and newest.envelope is not None):
        raise InvalidRequest(
            f"The backups of the set {name} in {repository.location} are encrypted, and encrypt_to is not set.",
            "Set encrypt_to. To stop encrypting new backups, set encryption=optional.",
        )


def place_of(place: str) -> str:
    """The directory of the host's state that is for a repository."""
    return hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:32]
