#!/usr/bin/env bash
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# run.sh FILES: the examples, which end with their host.

set -euo pipefail
python=$("$1/../../setup_applications/files/node_python.sh")
exec "$python" "$1/examples.py"
