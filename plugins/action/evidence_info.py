# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.day2.ops.plugins.plugin_utils.progress import ProgressActionBase


class ActionModule(ProgressActionBase):
    """Live progress while the module of the same name runs."""
