# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the tarball of a collection the same wherever it is built: reproducible.py TARBALL SECONDS.

ansible-galaxy lists files in the order of the file system, and writes the time of the build. Here they are sorted,
and all have one time, that of the commit.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
from pathlib import Path
from typing import Any

MANIFEST, FILES = "MANIFEST.json", "FILES.json"


def as_json(value: Any) -> bytes:
    """As ansible-galaxy writes it."""
    return json.dumps(value, indent=True).encode()


def repacked(tarball: Path, seconds: int) -> bytes:
    with tarfile.open(tarball) as old:
        members = {one.name: one for one in old.getmembers()}
        contents = {name: old.extractfile(name).read() for name, one in members.items() if one.isfile()}  # type: ignore[union-attr]
    files = json.loads(contents[FILES])
    files["files"].sort(key=lambda one: one["name"])
    contents[FILES] = as_json(files)
    manifest = json.loads(contents[MANIFEST])
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(contents[FILES]).hexdigest()
    contents[MANIFEST] = as_json(manifest)
    made = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=made, mode="wb", filename="", mtime=seconds) as packed,
        tarfile.open(fileobj=packed, mode="w") as new,
    ):
        # The manifest is expected first.
        for name in sorted(members, key=lambda one: (one not in (MANIFEST, FILES), one != MANIFEST, one)):
            member = members[name]
            member.mtime, member.pax_headers = seconds, {}
            member.size = len(contents.get(name, b""))
            new.addfile(member, io.BytesIO(contents[name]) if name in contents else None)
    return made.getvalue()


def main() -> None:
    tarball = Path(sys.argv[1])
    beside = tarball.with_name(f"{tarball.name}.new")
    beside.write_bytes(repacked(tarball, int(sys.argv[2])))
    os.replace(beside, tarball)


if __name__ == "__main__":
    main()
