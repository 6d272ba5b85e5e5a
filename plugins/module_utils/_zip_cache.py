# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the compiled code of this collection on the host, in its state, as Python does in `__pycache__`.

The code of a task comes from a zip file of sources. To compile them takes most of the time of a task that finds
nothing to do. One file for each version of Python has the newest code of each module. It is used only for a source of
the same size and CRC-32, which the zip file tells without being unpacked (Python takes a time and a size for its own),
and only if no other user can have written it. Whatever is wrong with it, the source is compiled. It begins with a list
of where the code of each module is: a task reads and checks only the code that it imports.
"""

from __future__ import annotations

import functools
import marshal
import os
import stat
import zipimport
import zlib
from collections.abc import Callable
from importlib.util import MAGIC_NUMBER
from types import CodeType
from typing import Any, Optional

from ._core.state_directory import directory

_OURS = "ansible_collections/day2/ops/"
_NUMBER = 4  # bytes of the length of the list, and of its CRC-32, before the list

_Source = tuple[int, int]  # size and CRC-32
_Compile = Callable[[str, bytes], CodeType]
_Load = Callable[[Any, str], tuple[CodeType, bool, str]]
_Modules = dict[str, tuple[_Source, int, memoryview]]  # by name of the file; compiled code and its CRC-32
_known: _Modules = {}
_new: _Modules = {}


def keep() -> None:
    """Record what was compiled, for the next task. If that is impossible, that compiles it, too."""
    if not _new or not os.path.isabs(directory()):
        return
    from ._core.files import make_private_directory, write_atomically  # only here: most tasks have compiled nothing

    try:
        make_private_directory(directory())
        write_atomically(_path(), _packed({**_known, **_new}), durable=False)
    except OSError:
        return
    _known.update(_new)
    _new.clear()


def _path() -> str:
    return os.path.join(directory(), f"compiled-{MAGIC_NUMBER.hex()}")


def _read() -> _Modules:
    try:
        place = os.lstat(directory())
        fd = os.open(_path(), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            about = os.fstat(fd)
            ours = stat.S_ISDIR(place.st_mode) and stat.S_ISREG(about.st_mode) and _is_ours(place) and _is_ours(about)
            content = file.read() if ours else b""
    except OSError:
        return {}
    return _unpacked(content)


def _packed(modules: _Modules) -> bytes:
    places, end = {}, 0
    for name, (about, check, code) in modules.items():
        places[name] = (about, check, end, end + len(code))
        end += len(code)
    head = marshal.dumps(places)
    numbers = (one.to_bytes(_NUMBER, "big") for one in (len(head), zlib.crc32(head)))
    return b"".join([*numbers, head, *(code for _about, _check, code in modules.values())])


def _unpacked(content: bytes) -> _Modules:
    size, check = (int.from_bytes(content[at : at + _NUMBER], "big") for at in (0, _NUMBER))
    rest = memoryview(content)[2 * _NUMBER :]
    head, codes = rest[:size], rest[size:]
    if not head or zlib.crc32(head) != check:
        return {}
    places = marshal.loads(head)  # noqa: S302 no other user can have written it
    return {name: (about, crc, codes[start:end]) for name, (about, crc, start, end) in places.items()}


def _is_ours(about: os.stat_result) -> bool:
    """Whether no other user can have written it."""
    return about.st_uid == os.geteuid() and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _cached(compile_source: _Compile) -> _Compile:
    """The same function, which compiles only what is not known."""

    @functools.wraps(compile_source)
    def compiled(path: str, source: bytes) -> CodeType:
        _archive, ours, name = path.partition(_OURS)
        if not ours:
            return compile_source(path, source)
        about = len(source), zlib.crc32(source)
        known = _found(name, about)
        if known is not None:
            return known
        made = compile_source(ours + name, source)  # without the path of the zip file, which differs in each task
        code = memoryview(marshal.dumps(made))
        _new[name] = (about, zlib.crc32(code), code)
        return made

    return compiled


def _found(name: str, about: _Source) -> Optional[CodeType]:
    known, check, code = _known.get(name, (None, 0, b""))
    if known != about or zlib.crc32(code) != check:
        return None
    found: CodeType = marshal.loads(code)  # noqa: S302 as above
    return found


def _unread(load: _Load) -> _Load:
    """The same function, which reads only what is not known, and keeps the last result as _zip_import does."""

    @functools.lru_cache(maxsize=1)
    @functools.wraps(load)
    def loaded(importer: Any, fullname: str) -> tuple[CodeType, bool, str]:
        files = importer._get_files() if hasattr(importer, "_get_files") else importer._files
        path = importer.prefix + fullname.rpartition(".")[2]
        for suffix, is_package in (("/__init__.py", True), (".py", False)):
            if path + suffix in files:
                place, _method, _packed, size, _offset, _time, _date, crc = files[path + suffix]
                code = _found(place.partition(_OURS)[2], (size, crc))
                return load(importer, fullname) if code is None else (code, is_package, place)
        return load(importer, fullname)

    return loaded


# They are not public. Where it works otherwise, nothing changes.
_compile_source, _get_module_code = (getattr(zipimport, one, None) for one in ("_compile_source", "_get_module_code"))
if _compile_source is not None and not hasattr(_compile_source, "__wrapped__"):
    _known.update(_read())
    setattr(zipimport, "_compile_source", _cached(_compile_source))  # noqa: B010
    if _get_module_code is not None:
        setattr(zipimport, "_get_module_code", _unread(_get_module_code))  # noqa: B010
