#!/usr/bin/env bash
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# node_python.sh: the interpreter with the libraries of all stores, which is that of the unit tests.

set -euo pipefail
# From dev/run: the one that does not compile again what each task brings.
if [[ -x ${COMPILE_ONCE:-}/node-python ]]; then
  printf '%s\n' "$COMPILE_ONCE/node-python"
  exit
fi
directory=$(cd "$(dirname "$0")" && pwd)
until compgen -G "$directory/.venv/node-*/bin/python" >/dev/null; do
  [[ $directory != / ]] || {
    echo "The environments of the unit tests are missing. Make them with: dev/run setup" >&2
    exit 1
  }
  directory=$(dirname "$directory")
done
printf '%s\n' "$directory"/.venv/node-*/bin/python | sort -V | tail -n 1
