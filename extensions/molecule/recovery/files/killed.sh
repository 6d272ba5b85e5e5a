#!/usr/bin/env bash
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# killed.sh FILE TEXT LOG COMMAND...: kills a command as soon as FILE contains TEXT. Fails if it ends before.
set -eu
file=$1 text=$2 log=$3
shift 3
setsid "$@" </dev/null >"$log" 2>&1 &
until grep -qsF -- "$text" "$file"; do
  kill -0 $! || {
    tail -n 50 "$log"
    exit 1
  }
  sleep .1
done
kill -KILL -- -$!
