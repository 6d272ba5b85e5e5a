# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of evidence of verbs, and the anchors of the journal in repositories.

docs/EVIDENCE.md has the keys of the lines. Nothing here is a reason to fail a verb.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple, Optional

from .._core import host_state
from .._core.addresses import without_password
from .._core.errors import Day2Error
from .._core.host_key import canonical, machine
from .._core.pgbackrest import is_pgbackrest
from .._core.version import VERSION
from .._evidence import journal
from .._evidence.chain import Head, digest_of
from .._repository.location import open_repository
from .._repository.owner import this_host
from .evidence import FAILED, OK, ON_THE_WAY, STOPPED

FORMAT = "day2.ops evidence"
_Entry = dict[str, Any]


class Anchored(NamedTuple):
    """Where the head of the journal was anchored, and why it was not elsewhere, as sentences."""

    repositories: Sequence[str]
    problems: Sequence[str]


def record(
    event: str,
    params: Mapping[str, Any],
    result: Mapping[str, Any],
    verdict: str,
    *,
    error: Optional[str] = None,
    also: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Write the lines of a run, and anchor the head. Returns `evidence` for the result of the verb, and `warnings`.

    :param error: the kind of the error that ended the run.
    :param also: what the verb has done on its way (`evidence.also`).
    """
    try:
        about = {"tool": VERSION, "set": params.get("name")}
        lines: list[_Entry] = [{**about, **_where(params), "verdict": OK, "error": None, **one} for one in _new(also)]
        if event != ON_THE_WAY:
            common = {**about, "event": event, "error": error}
            lines += [{**common, **one} for one in _LINES[event](params, result, verdict)]
        head = journal.append(lines, this_host(), host_mark()) if lines else None
    except Day2Error as exc:
        return {"warnings": [f"No evidence of this was recorded: {exc}"]}
    except (LookupError, TypeError, ValueError, AttributeError) as exc:
        return {"warnings": [f"No evidence of this was recorded. This is a bug: {exc!r}."]}
    if head is None:
        return {"warnings": []}
    # A run that is to stop has little time left; the next one anchors what it has written.
    done = anchor(head, _places(event, params)) if verdict != STOPPED else Anchored((), ())
    about = {"journal": head.journal, "count": head.count, "digest": head.digest, "time": head.time}
    # Who may only read a repository can't anchor anything there.
    warnings = list(done.problems) if event in _WRITE else []
    evidence = {"evidence": {**about, "anchored_in": list(done.repositories)}} if event != ON_THE_WAY else {}
    return {**evidence, "warnings": warnings}


def _new(entries: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Without what another program has made, and an earlier run has recorded. Of a journal that was changed, that is
    not known."""
    seen: Optional[set[tuple[Any, ...]]] = None
    if any("made" in one for one in entries):
        chain = journal.read()
        seen = None if chain.fault else {_made(line.entry) for line in chain.lines if "made" in line.entry}
    for one in entries:
        if "made" not in one or (seen is not None and _made(one) not in seen):
            yield one


def _made(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return entry["event"], entry.get("set"), entry.get("backup"), entry["made"]


_WRITE = ("backup", "copy", ON_THE_WAY)  # of these, failing to anchor is a warning


def _places(event: str, params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The repositories that a run has written to, or has read."""
    if event == "copy":
        return [params["to"]]
    if "stanza" in params:  # of pgBackRest
        return []
    return [params, *(params.get("copy_to") or ())]


def anchor(head: Head, places: Sequence[Mapping[str, Any]]) -> Anchored:
    """Write the head of the journal into repositories.

    :param places: parameters of each, as of a module.
    """
    name = f"{head.journal}-{head.count:012d}"
    data = canonical({"format": FORMAT, "version": 1, **head._asdict()}).encode()
    done, problems = [], []
    for place in places:
        if is_pgbackrest(place["repository"]):
            continue
        try:
            repository = open_repository(place)
            if repository.put_anchor(host_mark(), name, data):
                done.append(location(place))
                continue
            why = (
                "it contains another head for the same line: the journal was changed, or restored to an older state. "
                "Run evidence_info"
            )
        except Day2Error as exc:
            why = str(exc)
        problems.append(f"The head of the journal of evidence was not anchored in {location(place)}: {why}")
    return Anchored(done, problems)


def host_mark() -> str:
    """What the anchors of this host, and of this user, are found by: 16 hexadecimal digits."""
    told = machine().decode(errors="replace") or this_host()
    return digest_of(f"{told}\0{this_host()}\0{host_state.evidence()}".encode(errors="surrogateescape"))[:16]


def location(place: Mapping[str, Any]) -> str:
    """The address of a repository, without a password."""
    return without_password(str(place["repository"]))


def _backup_line(backup: Any) -> _Entry:
    """The identity of a backup, as results describe it."""
    told = backup or {}
    return {"backup": told.get("id"), "content_digest": told.get("content_digest"), "bytes": told.get("bytes")}


def _of_backup(params: Mapping[str, Any], result: Mapping[str, Any], verdict: str) -> Iterator[_Entry]:
    counts = {"removed": len(result.get("removed", ()))}
    if "copies" in result:
        counts["copies"] = len(result["copies"] or ())
    reason = {"reason": result.get("reason")}
    yield {**_backup_line(result.get("backup")), **reason, **_where(params), "verdict": verdict, "counts": counts}


def _of_copy(params: Mapping[str, Any], result: Mapping[str, Any], verdict: str) -> Iterator[_Entry]:
    copied = result.get("copied") or ()
    counts = {
        "copied": len(copied),
        "existing": len(result.get("existing", ())),
        "removed": len(result.get("removed", ())),
    }
    yield {
        **_backup_line(copied[-1] if copied else None),
        **_where(params["to"]),
        "from": location(params["from"]),
        "verdict": verdict,
        "counts": counts,
    }


def _of_restore(params: Mapping[str, Any], result: Mapping[str, Any], verdict: str) -> Iterator[_Entry]:
    targets = [one["path"] for one in result.get("targets", ())]
    safety = (result.get("safety_backup") or {}).get("id")
    counts = {"targets": len(targets), "changed": sum(1 for one in result.get("targets", ()) if one["changed"])}
    yield {
        **_backup_line(result.get("backup")),
        **_where(params),
        "targets": targets[:_NAMED],
        "safety_backup": safety,
        "verdict": verdict,
        "counts": counts,
    }


_NAMED = 20  # targets in a line


def _of_verification(params: Mapping[str, Any], result: Mapping[str, Any], verdict: str) -> Iterator[_Entry]:
    """A line for each set: `ok` if all its backups are good."""
    if verdict in (FAILED, STOPPED):
        yield {**_where(params), "verdict": verdict, "counts": {}}
    for one in result.get("sets", ()):
        backups = one["backups"]
        good = sum(1 for backup in backups if backup["good"])
        # With reverify_after, others were read before.
        read = sum(1 for backup in backups if backup["verified"] == result["at"])
        counts = {"backups": len(backups), "read": read, "good": good, "problems": len(one["problems"])}
        stored = sum(1 for backup in backups if backup.get("encrypted") and backup.get("content_digest") is None)
        if stored:  # without an identity, only the stored bytes were compared
            counts["not_decrypted"] = stored
        found = {"set": one["name"], "backup": one["newest"], "counts": counts}
        yield {**_where(params), **found, "verdict": FAILED if one["problems"] else OK}


def _of_drill(params: Mapping[str, Any], result: Mapping[str, Any], verdict: str) -> Iterator[_Entry]:
    """From the result `drill` of restore_drill, whose verdict says more than that of the run."""
    drill = result.get("drill") or {}
    backup = drill.get("backup")
    told = backup if isinstance(backup, Mapping) else {"id": backup}
    stages = {str(one): value for one, value in _stages(drill.get("stages"))}
    yield {
        **_backup_line(told),
        **_where(params),
        "verdict": drill.get("verdict") or verdict,
        "rto_s": drill.get("rto_s"),
        "rpo_s": drill.get("rpo_s"),
        "negative": bool(drill.get("negative")),
        "counts": {"stages": len(stages)},
        "stages": stages,
    }


def _stages(stages: Any) -> Iterator[tuple[Any, Any]]:
    """Names and seconds, from a mapping or a list of entries."""
    if isinstance(stages, Mapping):
        yield from stages.items()
    for one in stages if isinstance(stages, list) else ():
        yield one.get("name"), one.get("seconds")


def _where(place: Mapping[str, Any]) -> _Entry:
    return {"repository": location(place)}


_LINES: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any], str], Iterator[_Entry]]] = {
    "backup": _of_backup,
    "copy": _of_copy,
    "restore": _of_restore,
    "verification": _of_verification,
    "drill": _of_drill,
}
