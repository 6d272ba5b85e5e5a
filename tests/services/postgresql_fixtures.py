# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of PostgreSQL as a fixture, started when a test first asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .postgresql import cluster
from .stores import Store


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Store]:
    """The options of a store in it."""
    with cluster() as options:
        yield options
