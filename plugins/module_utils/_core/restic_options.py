# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of repositories of restic. What drives the program is elsewhere, for tasks that do not need it."""

from __future__ import annotations

from typing import Any

ENGINE = "restic"
ENGINES = ("day2", ENGINE)
# The places that restic knows, beside directories, as it writes them.
ADDRESSES = ("s3:", "sftp:", "rest:", "rclone:", "b2:", "azure:", "gs:", "swift:")
ARGUMENTS: dict[str, Any] = {
    "password": {"type": "str", "no_log": True},
    "password_file": {"type": "path", "no_log": False},
    "environment": {"type": "dict", "no_log": True},
}
