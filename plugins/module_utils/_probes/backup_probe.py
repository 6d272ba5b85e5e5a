# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""backup: whether a set has a good backup that is recent enough and has been fully verified."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, ClassVar

from .._core.errors import InvalidRequest
from .._core.restic_options import ENGINES
from .._core.units import format_duration, plural
from .._repository.base import Repository
from .._repository.history import History, read_history
from .._repository.location import is_elsewhere, is_offsite, open_repository, places_of
from .._repository.manifest import check_set_name
from .._repository.objective import Objective, Place, count_copies
from .._repository.owner import is_of_host, this_host
from .base import UNKNOWN, WARNING, BaseProbe, Deadline, Finding, Limit, Option


class BackupProbe(BaseProbe):
    SUMMARY = "Checks the age of the newest good backup of a backup set, and when that backup was last read completely."
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "repository": Option(
            "text",
            (
                "The repository, a directory, `s3://bucket/prefix` or `rclone:REMOTE:path`; with `engine: restic`, any "
                "repository of restic."
            ),
            required=True,
        ),
        "s3": Option(
            "mapping",
            "Access to S3, as in `backup`. Access key, secret key and session token are never shown.",
            secret=True,
        ),
        "identity_file": Option("path", "File with an identity that decrypts the backups, as in `backup_info`."),
        "identity": Option("text", "The identity itself. It is never shown.", secret=True),
        "rclone": Option("mapping", "Access by rclone, as in `backup`. Its `secrets` are never shown.", secret=True),
        "engine": Option("text", "What manages the repository, as in `backup`.", ENGINES[0], choices=ENGINES),
        "restic": Option(
            "mapping",
            "Password and environment for `engine: restic`, as in `backup`. They are never shown.",
            secret=True,
        ),
        "names_key": Option(
            "text", "The key that hides the names of sets, as in `backup`. It is never shown.", secret=True
        ),
        "backup_set": Option("text", "Name of the backup set.", required=True),
        "host": Option(
            "text",
            ("Only consider backups of this host. By default, the backups of all hosts in the set are considered."),
        ),
        "max_age": Option("duration", "Maximum age of the newest good backup. Same as `crit`."),
        "verified_within": Option(
            "duration",
            (
                "Time within which the newest good backup must have been read completely (`backup_info` with "
                "`verify: full`)."
            ),
        ),
        "copies": Option(
            "mapping",
            (
                "Objective for the number of copies of the newest data, for example `{min: 3, offsite: 1}` for three, "
                "one of them on another site. The data itself is one. A repository that cannot be read is `unknown`."
            ),
        ),
        "copy_to": Option(
            "list of mappings", "Other repositories that have copies, as in `backup`. They are only read.", secret=True
        ),
        "offsite": Option(
            "boolean",
            (
                "Whether `repository` is on another site. The default is `false` for a directory and for a server on "
                "this host, `true` otherwise."
            ),
        ),
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("s", "Time since the newest good backup was made or last confirmed to equal the data."),
    )
    ON_TIMEOUT = UNKNOWN

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        held = dict(limits)
        if options["max_age"] is not None:
            if held[""].crit is not None:
                raise InvalidRequest("max_age and crit have the same meaning: set one of them.")
            if (held[""].warn or 0) > options["max_age"]:
                raise InvalidRequest("warn must not be greater than max_age.")
            held[""] = held[""]._replace(crit=options["max_age"])
        super().__init__(options, held)
        # Opening a directory may hang, so `run` does that.
        self._repository = open_repository(options) if is_elsewhere(options["repository"]) else None
        check_set_name(options["backup_set"])
        self._objective = Objective.from_options(options["copies"])
        self._places = [options, *(options["copy_to"] or ())]
        for number, place in enumerate(options["copy_to"] or ()):
            if not isinstance(place.get("repository"), str):
                raise InvalidRequest(f"copy_to[{number}] needs a repository.")

    def paths(self) -> Sequence[str]:
        given = [one["repository"] for one in self._places]
        return [os.path.abspath(one) for one in given if not is_elsewhere(one)]

    def secrets(self) -> Sequence[str]:
        names = ("access_key_id", "secret_access_key", "session_token")
        given: list[Mapping[str, Any]] = [one.get("s3") or {} for one in self._places]
        found = [one[name] for one in given for name in names if one.get(name)]
        hidden = [(one.get("rclone") or {}).get("secrets") or {} for one in self._places]
        found += [str(value) for one in hidden for value in one.values()]
        restic = self.options["restic"] or {}
        found += [str(value) for value in (restic.get("environment") or {}).values()]
        found += [str(restic["password"])] if restic.get("password") else []
        found += [str(one["names_key"]) for one in self._places if one.get("names_key")]
        return [*found, self.options["identity"]] if self.options["identity"] else found

    def run(self, deadline: Deadline) -> Finding:
        name = self.options["backup_set"]
        deadline.doing = f"reading {self.options['repository']}"
        finding = self.finding()
        repository = self._repository or open_repository(self.options)
        trouble = repository.trouble()
        if trouble:
            finding.problem(f"the repository {repository.location} {trouble}")
            return finding
        if name not in repository.sets():
            finding.problem(f"{repository.location} has no set {name}")
            return finding
        now = datetime.now(timezone.utc)
        history = read_history(repository, name, now)
        host = self.options["host"]
        if host is not None:
            history = history.of_host(host)
        self._judge(finding, history, now)
        self._count(finding, repository, history, now)
        return finding

    def _count(self, finding: Finding, repository: Repository, history: History, now: datetime) -> None:
        """How many copies there are."""
        if self._objective is None and not self.options["copy_to"]:
            return
        copies = count_copies(
            self.options["backup_set"],
            (Place(repository.location, is_offsite(self.options), repository), history),
            places_of(self.options),
            objective=self._objective,
            now=now,
            max_age=self.limits[""].crit,
            host=self.options["host"],
        )
        finding.metric("copies", copies.total, "count")
        finding.metric("copies_offsite", copies.offsite, "count")
        finding.good += f"; {copies}" if finding.good else ""
        if copies.met is False:
            finding.problem(f"{self.options['backup_set']} has {copies}")
        for one in copies.unknown:
            finding.problem(f"the copies in {one.repository} are unknown: {one.trouble}", UNKNOWN)

    def _judge(self, finding: Finding, history: History, now: datetime) -> None:
        """Whether the newest backup here is good, and recent enough."""
        name, host = self.options["backup_set"], self.options["host"]
        damaged = [entry for entry in history.entries if entry.problems]
        if damaged:
            problem = damaged[-1].problems[0]
            finding.problem(
                f"{plural(len(damaged), 'backup')} of {name} damaged, the newest {damaged[-1].id}:"
                f" {problem['path']}: {problem['problem']}",
                WARNING,
            )
        future = [entry.id for entry in history.entries if entry.future]
        if future:
            finding.problem(f"{plural(len(future), 'backup')} of {name} dated in the future: {future[-1]}", WARNING)
        finding.metric("backups", len(history.good), "count")
        finding.metric("damaged", len(damaged), "count")
        newest = history.newest
        if newest is None:
            finding.problem(f"{name} has no good backup" + ("" if host is None else f" of host {host}"))
            return
        age = history.age(newest, now)
        other = f" (of host {newest.host})" if newest.opened else " (encrypted, of another host)"
        whose = "" if is_of_host(newest, this_host()) else other
        finding.good = f"the newest good backup of {name} is {newest.id}{whose}, {format_duration(age)} old"
        finding.measure(round(age, 3), what=f"the age of the newest good backup of {name}, {newest.id},")
        entry = history.get(newest.id)
        verified = (now - entry.verified_at).total_seconds() if entry and entry.verified_at else None
        if verified is not None:
            finding.metric("verified", round(max(0.0, verified), 3), "s")
        within = self.options["verified_within"]
        if within is not None and (verified is None or verified > within):
            finding.problem(
                "the backup {} of {} was {}: run backup_info with verify=full".format(
                    newest.id,
                    name,
                    "never fully verified"
                    if verified is None
                    else f"last fully verified {format_duration(verified)} ago, more than {format_duration(within)}",
                )
            )
