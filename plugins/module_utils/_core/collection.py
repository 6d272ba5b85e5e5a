# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contents of a store, as stores describe them and repositories record them in manifests."""

from __future__ import annotations

from typing import NamedTuple


class Collection(NamedTuple):
    """A named set of records (a table, a top-level key, a kind of file) and their number."""

    name: str
    records: int
