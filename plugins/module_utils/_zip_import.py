# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Halves what it takes to import the code of a task, which comes from a zip file.

zipimport compiles each module twice, in a row: to find out the name of its file, and to run it. The result is kept from
the one to the other. (Where it works otherwise, nothing changes.)
"""

from __future__ import annotations

import functools
import zipimport

_compiled = getattr(zipimport, "_get_module_code", None)
if _compiled is not None and not hasattr(_compiled, "cache_info"):
    setattr(zipimport, "_get_module_code", functools.lru_cache(maxsize=1)(_compiled))  # noqa: B010 it is not public
