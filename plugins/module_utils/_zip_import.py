# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mends two things about the import of the code of a task, which comes from a zip file.

zipimport compiles each module twice, in a row: to find out the name of its file, and to run it. The result is kept from
the one to the other, which halves the time. (Where it works otherwise, nothing changes.)

Until Python 3.9, a module from a zip file has no spec while its code runs. A thread that imports it then gets it as it
is, with half of its names, instead of waiting. With loaders that have `exec_module`, as zipimport's from 3.10 on, it
waits.
"""

from __future__ import annotations

import functools
import zipimport
from types import ModuleType
from typing import Any

_compiled = getattr(zipimport, "_get_module_code", None)
if _compiled is not None and not hasattr(_compiled, "cache_info"):
    setattr(zipimport, "_get_module_code", functools.lru_cache(maxsize=1)(_compiled))  # noqa: B010 it is not public


def _create_module(_self: Any, _spec: Any) -> None:
    """The usual one."""


def _exec_module(self: Any, module: ModuleType) -> None:
    get_module_code: Any = getattr(zipimport, "_get_module_code")  # noqa: B009 it is not public
    code, _is_package, _path = get_module_code(self, module.__name__)
    exec(code, module.__dict__)  # noqa: S102 pylint: disable=exec-used


if _compiled is not None and not hasattr(zipimport.zipimporter, "exec_module"):
    for name, method in (("create_module", _create_module), ("exec_module", _exec_module)):
        setattr(zipimport.zipimporter, name, method)
