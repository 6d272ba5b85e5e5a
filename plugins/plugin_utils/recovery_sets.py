# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup sets of a host that is to be recovered, from its stores and its jobs."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..module_utils._core.errors import InvalidRequest
from ..module_utils._host.job import put

Facts = Mapping[str, Any]
Set = dict[str, Any]  # a backup set of the host, and what was decided about it

ORDER = ("configuration", "data", "templates")
_ACCESS = ("s3", "rclone", "engine", "restic", "names_key", "limit", "grace")
UNSET: tuple[Any, ...] = (None, "", {}, [])


def sets_of(facts: Facts) -> list[Set]:
    """The sets of a host, in the order in which they are restored."""
    defaults = facts["defaults"]
    found = [_of_store(one, defaults) for one in facts.get("stores") or []]
    known = {one["name"] for one in found}
    for job in facts.get("jobs") or []:
        if job.get("verb") == "backup" and (job.get("arguments") or {}).get("name") not in known:
            found.append(_of_job(job, facts.get("credentials") or {}, defaults))
    wanted = [one for one in found if one["stage"] is not False]
    for one in wanted:
        if one["stage"] not in ORDER:
            raise InvalidRequest(
                f"recover of the set {one['name']} is {one['stage']!r}.",
                f"Set it to {', '.join(ORDER)}, or to false if the set is not to be recovered.",
            )
    return sorted(wanted, key=lambda one: ORDER.index(one["stage"]))


def _of_store(store: Mapping[str, Any], defaults: Mapping[str, Any]) -> Set:
    own = {key: defaults.get(key) for key in _ACCESS}
    own["repository"] = store.get("repository") or defaults["repository"]
    copies = store["copy_to"] if store.get("copy_to") is not None else defaults.get("copy_to")
    return _set(store, store, [own, *(copies or [])], defaults)


def _of_job(job: Mapping[str, Any], credentials: Mapping[str, Any], defaults: Mapping[str, Any]) -> Set:
    arguments = copy.deepcopy(dict(job["arguments"]))
    for place, credential in (job.get("secrets") or {}).items():
        if credential not in credentials:
            raise InvalidRequest(
                f"The job {job.get('name')} needs the credential {credential}.", "Set it in schedule_credentials."
            )
        put(arguments, place, credentials[credential])
    places = [arguments, *(arguments.get("copy_to") or [])]
    return {**_set(job, arguments, places, defaults), "job": str(job["name"])}


def _set(
    entry: Mapping[str, Any],
    arguments: Mapping[str, Any],
    places: Sequence[Mapping[str, Any]],
    defaults: Mapping[str, Any],
) -> Set:
    stage = entry.get("recover")
    return {
        "name": str(arguments.get("name", "")),
        "stage": "data" if stage in (None, True, "") else stage,
        "targets": [dict(one) for one in arguments.get("sources") or [arguments.get("source") or {}]],
        "host": arguments.get("host") or defaults.get("host") or "",
        "rto": str(entry.get("rto") or defaults.get("rto") or ""),
        "places": [given(one, ("repository", *_ACCESS)) for one in places],
        "identity": given(defaults, ("identity_file", "identity")),
        "job": "",
        "notes": [],
    }


def given(values: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: values[key] for key in keys if values.get(key) not in UNSET}


def double_names(sets: Sequence[Set]) -> list[str]:
    names = [one["name"] for one in sets]
    return [
        f"Two sets are called {name}. Give them different names." for name in sorted({*names}) if names.count(name) > 1
    ]


def digest_of(one: Set) -> str:
    """Of where a set is restored to, but not of how that is reached."""
    said = [
        {key: value for key, value in target.items() if "password" not in key and "secret" not in key}
        for target in one["targets"]
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()
