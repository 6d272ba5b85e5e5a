# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What filters and tests have in common."""

from __future__ import annotations

import functools
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error


def as_filter(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with its errors as Ansible shows those of filters."""

    @functools.wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except Day2Error as exc:
            raise AnsibleFilterError(str(exc)) from exc

    return run
