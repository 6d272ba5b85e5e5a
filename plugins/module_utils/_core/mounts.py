# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mount points of file systems, as reported by the kernel.

Device numbers do not identify them: on an overlay (containers, live systems), a file has the number of the layer that
it lies on, and only directories have that of the overlay.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from typing import NamedTuple

from .errors import TargetError
from .files import is_within

_MOUNTS = "/proc/self/mountinfo"


# File systems that can't exchange two directories (renameat2 with RENAME_EXCHANGE).
_NO_EXCHANGE = ("nfs", "nfs4", "cifs", "smb3", "9p", "exfat", "hfsplus", "ntfs3", "jfs", "minix", "udf")
_REDIRECT_DIR = "/sys/module/overlay/parameters/redirect_dir"


class Mount(NamedTuple):
    """A line of mountinfo: mount point, type, the options of the file system and of this mount, device ("8:1")."""

    point: str
    type: str
    options: tuple[str, ...]
    of_mount: tuple[str, ...]
    device: str


def mounts() -> list[Mount]:
    """All mounts that this process sees; later ones cover earlier ones."""
    try:
        with open(_MOUNTS, "rb") as handle:
            return parse(handle.read())
    except OSError:
        return []


def parse(mountinfo: bytes) -> list[Mount]:
    """The mounts in the text of /proc/self/mountinfo."""
    found = []
    for line in os.fsdecode(mountinfo).split("\n"):  # at once: a machine of containers has thousands of mounts
        left, dummy, right = line.partition(" - ")
        fields, more = left.split(" "), right.split(" ")
        if len(fields) > 5 and len(more) > 2:
            options, of_mount = tuple(_unescaped(more[2]).split(",")), tuple(fields[5].split(","))
            found.append(Mount(_unescaped(fields[4]), more[0], options, of_mount, fields[2]))
    return found


def _unescaped(field: str) -> str:
    r"""The kernel writes blanks and backslashes as \NNN."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field) if "\\" in field else field


def mount_points() -> list[str]:
    """The paths of all mount points that this process sees, including single files."""
    return [one.point for one in mounts()]


def check_exchange(directory: str) -> None:
    """Raise TargetError when the file system is known not to support the exchange of two directories.

    (Others show whether they do when it is tried.)
    """
    above = [one for one in mounts() if is_within(directory, one.point)]
    if not above:
        return
    mount = sorted(above, key=lambda one: len(one.point))[-1]  # the last of several mounts at one point is on top
    if mount.type in _NO_EXCHANGE:
        raise TargetError(
            f"The file system of {directory} ({mount.type}) can't exchange two directories.",
            "Nothing was changed. Move the directory elsewhere and run again: a directory that does not exist "
            "need not be exchanged.",
        )
    if mount.type == "overlay" and _is_on_lower_layer(directory, mount):
        raise TargetError(
            f"{directory} lies on a lower layer of an overlay, where it can't be exchanged.",
            "Nothing was changed. Move it elsewhere and run again: a directory that does not exist need not be "
            "exchanged.",
        )


def _is_on_lower_layer(directory: str, mount: Mount) -> bool:
    """As far as that can be seen: from inside a container, the layers are not visible."""
    options = dict(one.partition("=")[::2] for one in mount.options)
    redirects = options.get("redirect_dir")
    if redirects is None:
        try:
            with open(_REDIRECT_DIR, encoding="ascii") as handle:
                redirects = "on" if handle.read().strip() == "Y" else "off"
        except OSError:
            redirects = "off"
    if redirects == "on" or not os.path.isdir(directory):
        return False
    relative = os.path.relpath(directory, mount.point)
    layers = [os.path.join(one, relative) for one in options.get("lowerdir", "").split(":") if one]
    return any(_is_elsewhere(layer, directory) for layer in layers) or _is_merged(directory, mount)


def _is_elsewhere(layer: str, directory: str) -> bool:
    """Whether the directory of a layer exists. (In a container, its path can be another one, on the overlay itself.)"""
    return os.path.isdir(layer) and os.stat(layer).st_dev != os.stat(directory).st_dev


def _is_merged(directory: str, mount: Mount) -> bool:
    """Whether a directory exists on several layers: it has one link then. (On Btrfs, all directories have one.)"""
    info = os.stat(directory)
    if info.st_nlink != 1:
        return False
    with contextlib.suppress(OSError), os.scandir(mount.point) as entries:
        others = [one.stat(follow_symlinks=False) for one in entries if one.is_dir(follow_symlinks=False)]
        return any(one.st_nlink > 1 and one.st_dev == info.st_dev for one in others)
    return False


def is_mounted(path: str, info: os.stat_result, device: int) -> bool:
    """Whether an entry is on another file system than its directory.

    :param info: of the entry itself.
    :param device: of the directory.
    """
    if info.st_dev == device or stat.S_ISLNK(info.st_mode):
        return False
    return stat.S_ISDIR(info.st_mode) or os.path.realpath(path) in mount_points()
