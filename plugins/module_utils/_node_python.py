# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports a Python that is too old before anything is imported that it can't import."""

from __future__ import annotations

import json
import sys

MINIMUM = (3, 9)

if sys.version_info < MINIMUM:
    sys.stdout.write(
        json.dumps(
            {
                "failed": True,
                "msg": "day2.ops needs Python %d.%d or newer on the managed node, and %s is Python %s. "
                "Set ansible_python_interpreter to a newer one."
                % (*MINIMUM, sys.executable, ".".join(map(str, sys.version_info[:3]))),
            }
        )
    )
    raise SystemExit(1)
