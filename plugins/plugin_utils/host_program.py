# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host program `day2`: an archive with the code of the verbs, which Python runs."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

_PACKAGE = "day2_ops"
_LEFT_OUT = {"_module.py", "_module_run.py", "_module_jobs.py"}  # of ansible-core
_SHEBANG = b"#!/usr/bin/python3 -I\n"
# Verbs import late, and zipimport opens the archive again for each import. The open descriptor keeps the archive that
# this run began with, even if an upgrade has replaced it. Until then, Python itself opens the archive twice: for the
# list of its files, and for this one. If an upgrade comes between, this one must lie where it lay before: it is the
# first file, and is not compressed, as its size would follow from the version of zlib.
_MAIN = f"""\
import os, sys
archive = sys.path[0]
descriptor = os.open(archive, os.O_RDONLY | os.O_CLOEXEC)
sys.path[0] = "/proc/self/fd/%d" % descriptor
sys.path_importer_cache.pop(archive, None)
from {_PACKAGE}._host.program import main
raise SystemExit(main())
"""
_FIRST = "__main__.py"
_EPOCH = (2000, 1, 1, 0, 0, 0)  # the same sources make the same bytes


def build(module_utils: Path) -> bytes:
    """The program, made from the directory module_utils of the collection."""
    files = {_FIRST: _MAIN.encode()}
    for path in module_utils.rglob("*.py"):
        name = path.relative_to(module_utils).as_posix()
        if name not in _LEFT_OUT:
            files[f"{_PACKAGE}/{name}"] = path.read_bytes()
    for directory in {parent.as_posix() for name in files for parent in Path(name).parents} - {"."}:
        files.setdefault(f"{directory}/__init__.py", b"")  # without one, zipimport finds no package
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (_FIRST, *sorted(set(files) - {_FIRST})):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_STORED if name == _FIRST else zipfile.ZIP_DEFLATED
            info.external_attr, info.create_system = 0o644 << 16, 3
            archive.writestr(info, files[name])
    return _SHEBANG + buffer.getvalue()
