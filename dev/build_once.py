# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the archives of modules that ansible-playbook builds, about a second for each module, for its next runs.

Each run has a cache of its own, which ends with it. This fills it from the directory "archives" beside this file, and
leaves there what is new in the end. Whoever starts the runs (dev/lib.sh:build_once) begins with an empty one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: build_once
type: aggregate
short_description: Keeps the archives of modules for the next runs
description: For tests, in which ansible-playbook is started often.
author: day2.ops contributors
"""

KEPT = Path(__file__).with_name("archives")


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "build_once"

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.ours = Path(constants.DEFAULT_LOCAL_TMP) / "ansiballz_cache"
        self.ours.mkdir(exist_ok=True)
        for archive in KEPT.iterdir():
            if not archive.name.startswith("."):
                (self.ours / archive.name).symlink_to(archive)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        for archive in self.ours.iterdir():
            kept = KEPT / archive.name
            if archive.name.endswith((".lock", "-part")) or archive.is_symlink() or kept.exists():
                continue
            # Other runs may come here at the same time.
            new = kept.with_name(f".{archive.name}.{os.getpid()}")
            shutil.copyfile(archive, new)
            new.replace(kept)
