# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For how long this host has seen something unchanged: where only its own clock can be trusted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .._core import host_state
from .lease import boot_id, now


class Watch:
    """What was seen, also by earlier runs.

    :param steps: the document of the host's state that it is remembered in.
    """

    def __init__(self, *steps: str) -> None:
        self._steps = steps
        self._seen: dict[str, list[Any]] = dict(host_state.read(*steps))

    def ages(self, found: Mapping[str, str]) -> dict[str, float]:
        """Seconds since each was first seen as it is now. What is not there any more is forgotten.

        :param found: what differs for another content, by name.
        """
        boot, since_boot, clock = boot_id(), now(), time.time()
        fresh: list[Any] = [boot, since_boot, clock]
        self._seen = seen = {
            name: self._seen[name] if _is_entry(self._seen.get(name), tag) else [tag, *fresh]
            for name, tag in found.items()
        }
        # the usual clock may have been set meanwhile: it is asked only where the other one began anew
        return {
            name: since_boot - began if boot and boot == then else clock - noted
            for name, (_tag, then, began, noted) in seen.items()
        }

    def save(self) -> None:
        """Remember it for the next run. Raises Day2Error."""
        host_state.write(self._seen, *self._steps)


def _is_entry(value: Any, tag: str) -> bool:
    """Whether it tells when something was first seen with this content."""
    return (
        isinstance(value, list)
        and len(value) == 4
        and value[0] == tag
        and isinstance(value[1], str)
        and all(isinstance(one, (int, float)) for one in value[2:])
    )
