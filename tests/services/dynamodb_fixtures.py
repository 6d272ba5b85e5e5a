# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of dynamodb.py as fixtures, one of each a session: import them into a conftest.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .dynamodb import dynamodb_local, dynoxide


@pytest.fixture(scope="session")
def dynoxide_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dynoxide(tmp_path_factory.mktemp("dynoxide")) as url:
        yield url


@pytest.fixture(scope="session")
def dynamodb_local_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dynamodb_local(tmp_path_factory.mktemp("dynamodb_local")) as url:
        yield url
