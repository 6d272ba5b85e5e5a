# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib

from ansible_collections.day2.ops.plugins.module_utils._core.unordered import MODULUS, hexdigest, total


def test_one_thing_has_its_own_digest_and_none_has_zero() -> None:
    assert hexdigest(total([b"one"])) == hashlib.sha256(b"one").hexdigest()
    assert hexdigest(total([])) == "0" * 64


def test_the_order_does_not_matter_and_the_number_does() -> None:
    assert hexdigest(total([b"a", b"b", b"b"])) == hexdigest(total([b"b", b"a"]) + total([b"b"]))
    assert hexdigest(total([b"a", b"b", b"b"])) != hexdigest(total([b"a", b"b"]))
    assert hexdigest(total([b"a"]) + MODULUS) == hexdigest(total([b"a"]))
