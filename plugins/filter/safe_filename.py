# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: safe_filename
short_description: Make a text safe to use as the name of a file
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Returns a single path component that is neither empty nor hidden, is not taken for an option of a command or a device of
    Windows, and contains no separator, space or control character.
  - A safe name stays as it is. Two texts can give the same name; append a digest of the text where that matters.
options:
  _input:
    description: The text.
    type: str
    required: true
  replacement:
    description: A letter, a digit or V(_), which replaces each unsafe character.
    type: str
    default: _
  longest:
    description: Maximum length of the name in bytes, up to 255. A longer name is truncated before its extension.
    type: int
    default: 255
"""

EXAMPLES = r"""
- name: A file for each report
  ansible.builtin.debug:
    msg: "/var/reports/{{ 'Q3: sales/returns.csv' | day2.ops.safe_filename }}" # Q3__sales_returns.csv
"""

RETURN = r"""
_value:
  description: The name.
  type: str
"""

from typing import Any, Callable

from ansible_collections.day2.ops.plugins.plugin_utils import file_names
from ansible_collections.day2.ops.plugins.plugin_utils.filters import as_filter


def safe_filename(text: object, replacement: str = "_", longest: int = file_names.LONGEST) -> str:
    return file_names.safe_filename(text, replacement, longest)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"safe_filename": as_filter(safe_filename)}
