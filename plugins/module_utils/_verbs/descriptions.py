# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups and their owners as shown in results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from .._core.units import format_time
from .._repository.manifest import Manifest, SourcePart
from .._repository.owner import Owner
from .._repository.recognition import is_recognized


def describe(manifest: Manifest, path: str) -> dict[str, object]:
    """A backup as shown in results. Of an encrypted one that could not be opened, None is shown for the unknown."""
    known = manifest.opened
    return {
        "id": manifest.id,
        "path": path,
        "kind": manifest.kind,
        "created": format_time(manifest.created),
        "bytes": manifest.size if known else None,
        "stored_bytes": manifest.stored_size,
        "compression": manifest.compression,
        "encrypted": manifest.envelope is not None,
        "origin": origin_of(manifest),
        "content_digest": manifest.content_digest if known else None,
        "host": manifest.host if known else None,
        "imported_from": manifest.imported_from,
        "tags": list(manifest.tags) if known else None,
        "sources": [describe_part(part, part.size) for part in manifest.sources] if known else None,
    }


def origin_of(manifest: Manifest) -> Optional[str]:
    """Whether it is proven that this host has made an encrypted backup: whoever knows a recipient can encrypt."""
    if manifest.envelope is None:
        return None
    return "this_host" if is_recognized(manifest) else "unproven"


def describe_owners(owners: Sequence[tuple[Owner, Sequence[Manifest]]]) -> list[dict[str, object]]:
    """Owners of backups as shown in results."""
    return [
        {
            "host": owner.host or None,
            "paths": [] if owner.closed else list(owner.paths),
            "backups": len(own),
            "newest": own[-1].id,
        }
        for owner, own in owners
    ]


def describe_part(part: SourcePart, size: int) -> dict[str, object]:
    """The part of a backup that belongs to one store, as shown in results."""
    references = part.details.get("references")
    return {
        "name": part.name,
        "type": part.type,
        "path": part.path,
        "bytes": size,
        "content_digest": part.content_digest,
        "collections": [one._asdict() for one in part.collections],
        **({"references": references} if references else {}),
    }
