#!/bin/sh
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# kill_writer.sh SERVICE TIMES: kill -9 a service's process while it works, again and again; systemd starts it again.
set -eu
for time in $(seq "$2"); do
  before=$(systemctl show --property=MainPID --value "$1")
  kill -KILL "$before"
  until now=$(systemctl show --property=MainPID --value "$1") && [ "$now" != "$before" ] && [ "$now" != 0 ]; do sleep 0.05; done
  # At another moment of its work each time.
  sleep "0.2$time"
done
systemctl reset-failed "$1"
