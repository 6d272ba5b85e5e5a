#!/bin/sh
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# write.sh FIRST LAST: have each of the three write so many lines at the same time; returns when they have begun.
set -eu
begin() {
  name=$1 user=$2
  shift 2
  systemctl reset-failed "lines-$name" 2>/dev/null || :
  systemd-run --quiet --unit="lines-$name" --uid="$user" -- /usr/local/bin/line_writer run "$@"
}
begin http app http http://127.0.0.1/ "$1" "$2"
begin syslog app syslog 5514 "$1" "$2"
begin file app file /var/log/app/app.log "$1" "$2"
