# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest of many things independent of their order: the sum of their SHA-256, modulo 2^256.

There may be too many of them to sort. Equal things count as often as they occur.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

MODULUS = 2**256


def numbers(things: Iterable[bytes]) -> Iterator[int]:
    """The SHA-256 of each as a number."""
    sha256, number = hashlib.sha256, int.from_bytes
    for one in things:
        yield number(sha256(one).digest(), "big")


def total(things: Iterable[bytes]) -> int:
    """The sum of these numbers, not reduced: sums of parts can be added."""
    return sum(numbers(things))


def hexdigest(amount: int) -> str:
    """A sum as 64 hex digits."""
    return f"{amount % MODULUS:064x}"
