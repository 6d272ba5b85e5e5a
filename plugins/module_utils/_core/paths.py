# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one rule for paths in arguments (`~` is expanded, and a relative path is refused), and for those in archives."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from .errors import InvalidRequest


def expand(path: str) -> str:
    """The path with a leading `~` or `~user` replaced with the home directory of that user, if the user exists."""
    return os.path.expanduser(path)


def complaint(path: str) -> str:
    """The error in an expanded path, as the end of a sentence that begins with the name of the option; "" if it is
    valid.
    """
    if "\0" in path:
        return "contains a null byte, which no path can"
    if path.startswith("/"):
        return ""
    if not path:
        return "is empty; set it to an absolute path, or omit the option"
    if path.startswith("~"):
        user = path[1:].partition("/")[0] or "this user"
        return f"is {path}, and {user} has no home directory here; set it to an absolute path"
    return (
        f"is the relative path {path}; set it to an absolute path, as the working directory depends on the connection"
    )


_ADDRESS = re.compile(r"[a-z0-9+.-]+://|rclone:|pgbackrest(?::|$)")


def check_paths(spec: Mapping[str, Any], values: Mapping[str, Any], prefix: str = "") -> None:
    """Check every option of type path in an argument spec, including suboptions. Addresses of repositories and archives
    are not paths.

    Raises InvalidRequest when one of them, named by its full name, is not an absolute path.
    """
    for name, option in spec.items():
        value = values.get(name)
        if value is None:
            continue
        entries = value if isinstance(value, list) else [value]
        for number, entry in enumerate(entries):
            where = f"{prefix}{name}[{number}]" if isinstance(value, list) else prefix + name
            if "path" in (option.get("type"), option.get("elements")) and not _ADDRESS.match(entry):
                wrong = complaint(expand(entry))
                if wrong:
                    raise InvalidRequest(f"{where} {wrong}.")
            elif option.get("options") and isinstance(entry, Mapping):
                check_paths(option["options"], entry, where + ".")


def is_safe(path: bytes) -> bool:
    """Is it a path that can't leave the root: relative, without empty, "." and ".." components?"""
    return b"\0" not in path and not any(part in (b"", b".", b"..") for part in path.split(b"/"))
