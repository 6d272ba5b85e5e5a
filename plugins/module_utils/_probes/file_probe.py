# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""file: existence, age, size, number, content, owner and mode of files."""

from __future__ import annotations

import fnmatch
import grp
import hashlib
import os
import pwd
import re
import stat
import time
from collections.abc import Iterator, Mapping
from typing import Any, Callable, ClassVar

from .._core.errors import InvalidRequest
from .._core.units import format_duration, format_size, plural
from .._core.walk import Everything, walk
from .base import UNKNOWN, WARNING, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed

_SKEW = 60.0  # tolerated difference of the clock of a file server in seconds
_ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}


class _Depth(Everything):
    """Everything in a directory, and below it only if that is wanted."""

    def __init__(self, recurse: bool) -> None:
        self._recurse = recurse

    def leads(self, state: int) -> bool:
        return self._recurse


class FileProbe(BaseProbe):
    SUMMARY = (
        "Checks a file, or the files of a directory whose names match a pattern. Links to directories are not followed."
    )
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "path": Option("path", "Path of the file or directory.", required=True),
        "pattern": Option("text", "For a directory: glob of the files to consider, for example `*.log`.", "*"),
        "recurse": Option("boolean", "For a directory: whether to also consider files in its subdirectories.", False),
        "state": Option(
            "text",
            ("Whether the file must exist. With `absent`, it must not exist (no file in the directory may match)."),
            "present",
            choices=("present", "absent"),
        ),
        "min_size": Option("size", "Minimum total size of all files."),
        "max_size": Option("size", "Maximum total size of all files."),
        "count": Option("ranges", "Number of files that is ok, for example `1-100`."),
        "checksum": Option("text", "For a file: its SHA-256, MD5, SHA-1 or SHA-512 digest in hexadecimal."),
        "owner": Option("text", "User that must own `path` itself (the file or the directory), by name or number."),
        "group": Option("text", "Group that `path` itself must have, by name or number."),
        "mode": Option("text", 'Permissions that `path` itself must have, in quotes, for example `"0640"`.'),
        "max_mode": Option(
            "text", 'Permissions that `path` itself may have at most, in quotes: with `"0750"`, `0700` is ok, too.'
        ),
        "contains": Option("regular expression", "For a file: pattern that one of its lines must match."),
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit(
            "s",
            (
                "Age of the newest file, by its modification time. If that is in the future, by the time of its "
                "last change according to the host (ctime)."
            ),
        ),
        Limit("s", "Age of the oldest file, to detect stuck queues.", name="oldest"),
        Limit("bytes", "Total size of all files.", name="size"),
        Limit("count", "Number of files.", name="files"),
    )
    searches = True
    ON_TIMEOUT = UNKNOWN

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        super().__init__(options, limits)
        checksum = options["checksum"]
        if checksum and (len(checksum) not in _ALGORITHMS or not re.fullmatch("[0-9a-fA-F]+", checksum)):
            raise InvalidRequest("checksum is not an MD5, SHA-1, SHA-256 or SHA-512 digest in hexadecimal.")
        for name in ("mode", "max_mode"):
            # without quotes, YAML has made another number of it
            if options[name] is not None and not re.fullmatch("[0-7]{4}", options[name]):
                raise InvalidRequest(f'{name} is {options[name]}: write four octal digits in quotes, such as "0640".')

    def run(self, deadline: Deadline) -> Finding:
        path = self.options["path"]
        deadline.doing = f"reading {path}"
        finding = self.finding()
        info = None
        try:
            info = os.stat(path)
            infos = list(self._inside(path, deadline)) if stat.S_ISDIR(info.st_mode) else [info]
        except FileNotFoundError:
            infos = []
        except OSError as exc:
            raise ProbeFailed(f"{exc.filename or path}: {exc.strerror}", UNKNOWN) from None
        if self.options["state"] == "absent":
            finding.good = f"{path} does not exist, as required"
            if infos:
                finding.problem(f"{path}: {plural(len(infos), 'file')} that must not exist")
            return finding
        self._judge(path, infos, finding)
        if info is not None:
            self._rights(path, info, finding)
        if infos and os.path.isfile(path):
            self._content(path, deadline, finding)
        return finding

    def _inside(self, path: str, deadline: Deadline) -> Iterator[os.stat_result]:
        def failed(name: bytes, exc: OSError) -> None:
            raise OSError(exc.errno, exc.strerror, os.path.join(path, os.fsdecode(name)))

        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)  # the path itself can be a link
        try:
            for found in walk(fd, _Depth(self.options["recurse"]), failed):
                deadline.left()
                name = os.fsdecode(found.path).rpartition("/")[2]
                if not stat.S_ISDIR(found.info.st_mode) and fnmatch.fnmatchcase(name, self.options["pattern"]):
                    yield found.info
        finally:
            os.close(fd)

    def _judge(self, path: str, infos: list[os.stat_result], finding: Finding) -> None:
        options = self.options
        counts = options["count"]
        if counts is not None:
            if not any(low <= len(infos) <= high for low, high in counts):
                finding.problem(f"{path}: {plural(len(infos), 'file')}")
        elif not infos:
            finding.problem(f"{path} does not exist, or contains no file {options['pattern']}")
        size = sum(info.st_size for info in infos)
        if options["min_size"] is not None and size < options["min_size"]:
            finding.problem(f"{path} has {format_size(size)}, less than {format_size(options['min_size'])}")
        if options["max_size"] is not None and size > options["max_size"]:
            finding.problem(f"{path} has {format_size(size)}, more than {format_size(options['max_size'])}")
        finding.measure(size, "size", f"the size of {path}")
        finding.measure(len(infos), "files", f"the number of files in {path}")
        finding.good = f"{path}: {plural(len(infos), 'file')}, {format_size(size)}"
        if infos:
            _ages(path, infos, finding)

    def _rights(self, path: str, info: os.stat_result, finding: Finding) -> None:
        names = {"owner": _names(info.st_uid, _user_name), "group": _names(info.st_gid, _group_name)}
        for option, found in names.items():
            wanted = self.options[option]
            if wanted is not None and wanted not in found:
                finding.problem(f"the {option} of {path} is {found[0]}, not {wanted}")
        mode = stat.S_IMODE(info.st_mode)
        exact, most = self.options["mode"], self.options["max_mode"]
        if exact is not None and mode != int(exact, 8):
            finding.problem(f"{path} has the mode {mode:04o}, not {exact}")
        if most is not None and mode & ~int(most, 8):
            finding.problem(f"{path} has the mode {mode:04o}, which allows more than {most}")

    def _content(self, path: str, deadline: Deadline, finding: Finding) -> None:
        checksum, pattern = self.options["checksum"], self.options["contains"]
        if not checksum and not pattern:
            return
        deadline.doing = f"reading {path}"
        digest = hashlib.new(_ALGORITHMS[len(checksum)], usedforsecurity=False) if checksum else None
        found = False
        try:
            # Opening a named pipe would block.
            with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as handle:
                for line in iter(lambda: handle.readline(1 << 20), b""):
                    deadline.left()
                    if digest is not None:
                        digest.update(line)
                    if pattern and not found:
                        found = bool(pattern.search(line.decode("utf-8", "replace")))
                        if found and digest is None:
                            break
        except OSError as exc:
            raise ProbeFailed(f"{path} can't be read: {exc.strerror}", UNKNOWN) from None
        if digest is not None and digest.hexdigest() != checksum.lower():
            finding.problem(f"{path} has the checksum {digest.hexdigest()}, not {checksum.lower()}")
        if pattern and not found:
            finding.problem(f"{path} has no line that matches {pattern.pattern}")


def _names(number: int, name: Callable[[int], str]) -> list[str]:
    """The name, if there is one, and the number."""
    try:
        return [name(number), str(number)]
    except KeyError:
        return [str(number)]


def _user_name(number: int) -> str:
    return pwd.getpwuid(number).pw_name


def _group_name(number: int) -> str:
    return grp.getgrgid(number).gr_name


def _ages(path: str, infos: list[os.stat_result], finding: Finding) -> None:
    now = time.time()
    ahead = max(info.st_mtime for info in infos) - now
    if ahead > _SKEW:
        finding.problem(f"{path} is dated {format_duration(ahead)} in the future: a clock was ahead", WARNING)
    # Programs can set the modification time to anything, but the time of the last change only with the clock.
    stamps = [min(info.st_mtime, info.st_ctime) for info in infos]
    known = [stamp for stamp in stamps if stamp <= now + _SKEW]
    if not known:
        finding.problem(f"the age of {path} is unknown", UNKNOWN)
        return
    newest, oldest = (max(0.0, now - stamp) for stamp in (max(known), min(known)))
    finding.good += f", {format_duration(newest)} old"
    finding.measure(round(newest, 3), what=f"the age of {path}")
    finding.measure(round(oldest, 3), "oldest", f"the age of the oldest file in {path}")
