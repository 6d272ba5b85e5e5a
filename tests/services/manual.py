# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks of the manual that unit tests run. tests/unit/test_manual.py finds the calls of `script` and `block`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def block(page: str, part: str, places: Mapping[str, str] = MappingProxyType({})) -> str:
    """The one block of a page with this part. Its paths are replaced by those of the test; each must occur."""
    text = (DOCS / page).read_text(encoding="utf-8")
    (found,) = (one for _language, one in BLOCK.findall(text) if part in one)
    assert [one for one in places if one not in found] == []
    anywhere = "|".join(re.escape(one) for one in sorted(places, key=len, reverse=True))
    return re.sub(anywhere, lambda place: places[place[0]], found) if places else found


def script(page: str, part: str, places: Mapping[str, str] = MappingProxyType({})) -> str:
    """The same of a block of a console: its command lines, for bash."""
    lines = block(page, part, places).replace("\\\n", "").splitlines()
    return "".join(f"{line[2:]}\n" for line in lines if line[:2] in ("$ ", "# "))
