# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

from ansible_collections.day2.ops.plugins.module_utils._core.shown import shown, shown_text


def test_only_what_is_not_utf8_is_escaped() -> None:
    assert shown_text(os.fsdecode(b"caf\xe9 \xff.log")) == "caf\\xe9 \\xff.log"
    assert shown_text(os.fsdecode("café \\x2d".encode())) == "café \\x2d"
    assert shown_text("half \ud800 pair") == "half \\ud800 pair"


def test_in_whatever_a_result_holds() -> None:
    bad = os.fsdecode(b"\x80")
    result = {"files": [{"name": bad, "bytes": 1, "old": None}], bad: (True, 1.5, bad)}
    assert shown(result) == {"files": [{"name": "\\x80", "bytes": 1, "old": None}], "\\x80": [True, 1.5, "\\x80"]}
    good = {"files": [{"name": "é"}]}
    assert shown(good) is good
