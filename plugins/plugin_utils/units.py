# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values in units of systemd."""

from __future__ import annotations

import re
from typing import Any

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def seconds(value: float) -> str:
    """A duration for systemd and for the host program, which take no exponents."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + "s"


def line(value: Any) -> str:
    """A text of one line."""
    return _CONTROL.sub(" ", str(value))


def escaped(value: Any) -> str:
    """A text of one line, in which % and \\ mean themselves."""
    text = line(value).replace("%", "%%")
    return f"{text} " if text.endswith("\\") else text  # else the next line would be a part of it
