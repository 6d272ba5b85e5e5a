# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of objects: which of them counts, and removals that leave none.

Of a name that is written once the oldest version counts, whatever was written over it or hides it. Of locks and state,
which are written again and again, the newest does; of a lock the first version stays, too, as it says who created it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple

from .._core.s3 import S3Client
from . import s3_small as small

_AT_ONCE = 1000  # keys in one request to remove them
_REWRITTEN = "/.state/"


class Versions(NamedTuple):
    """All versions of one key, oldest first, as boto3 returns them."""

    key: str
    versions: list[Mapping[str, Any]]
    markers: list[str]  # version ids of delete markers

    @property
    def counts(self) -> Mapping[str, Any]:
        """The version that counts."""
        return self.versions[-1 if _REWRITTEN in self.key else 0]

    @property
    def strange(self) -> bool:
        """Whether somebody wrote over it or hid it."""
        return _REWRITTEN not in self.key and (len(self.versions) > 1 or bool(self.markers))


def versions_in(page: Mapping[str, Any]) -> Iterator[Versions]:
    """The keys of one page of a listing, in order."""
    entries = [(one["Key"], True, one) for one in page.get("Versions", ())]
    entries += [(one["Key"], False, one) for one in page.get("DeleteMarkers", ())]
    for key, found in groupby(sorted(entries, key=lambda one: one[0]), lambda one: one[0]):
        both = list(found)
        # the server lists the newest first
        versions = [one for _key, whole, one in both if whole][::-1]
        yield Versions(key, versions, [one["VersionId"] for _key, whole, one in both if not whole])


def all_versions(client: S3Client, prefix: str) -> Iterator[tuple[Mapping[str, Any], list[Versions]]]:
    """Pages, and the keys in them. The versions of a key that are in two pages are in the second."""
    asked: dict[str, Any] = {"Bucket": client.bucket, "Prefix": prefix}
    kept: list[Versions] = []
    while True:
        page = client.api.list_object_versions(**asked)
        found = list(versions_in(page))
        if kept and found and found[0].key == kept[0].key:
            first = found[0]
            found[0] = Versions(first.key, first.versions + kept[0].versions, first.markers + kept[0].markers)
        else:
            found = kept + found
        kept = []
        if not page.get("IsTruncated"):
            yield page, found
            return
        kept = found[-1:]
        yield page, found[:-1]
        asked.update(KeyMarker=page["NextKeyMarker"], VersionIdMarker=page["NextVersionIdMarker"])


def remove_all(client: S3Client, keys: Collection[str], kept: Collection[str] = ()) -> list[Mapping[str, Any]]:
    """Remove all versions and delete markers of some keys, but those that are kept. Returns what the server refused."""
    wanted = set(keys)
    if not wanted:
        return []
    gone = [
        {"Key": one.key, "VersionId": version}
        for _page, found in all_versions(client, _common(wanted))
        for one in found
        if one.key in wanted
        for version in [*(each["VersionId"] for each in one.versions), *one.markers]
        if version not in kept
    ]
    return remove(client, gone)


def _common(keys: Collection[str]) -> str:
    """What all of them begin with."""
    first, last = min(keys), max(keys)
    return first[: next((at for at, pair in enumerate(zip(first, last)) if pair[0] != pair[1]), len(first))]


def remove(client: S3Client, objects: list[dict[str, str]]) -> list[Mapping[str, Any]]:
    """Remove objects or versions. Returns what the server refused."""
    refused: list[Mapping[str, Any]] = []
    for start in range(0, len(objects), _AT_ONCE):
        refused += small.delete(client, objects[start : start + _AT_ONCE])
    return refused
