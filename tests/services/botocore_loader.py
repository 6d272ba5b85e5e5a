# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS's descriptions of its services, read once: every task has a session of its own, and reading them takes most of
its time. Import the fixture into a module of tests.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def one_loader() -> Iterator[None]:
    """All sessions of botocore share what they have read."""
    import botocore.loaders

    loader = botocore.loaders.create_loader()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(botocore.loaders, "create_loader", lambda search_path_string=None: loader)
        yield
