#!/bin/sh
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# make_runs.sh FIRST LAST DAYS: runs of the profiler, so many days old, with an audit log that tells its run.
set -eu
for number in $(seq "$1" "$2"); do
  run=/data/outputs/run-$number
  mkdir -p "$run"
  seq -f "run $number line %g" 5000 >"$run/audit.log.json"
  seq 5000 | tee "$run/profile.json" "$run/metrics.csv" >"$run/report.html"
  mkfifo "$run/control"
  touch -d "$3 days ago" "$run"/*
done
