#!/bin/sh
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Makes a private directory with the data of two applications and prints its path.

set -eu
files=$(dirname "$0")
scratch=$(mktemp -d -t ansible.XXXXXXXX.day2)
mkdir -m 0750 "$scratch/hostfactory" "$scratch/hawkfish"
install -m 0640 "$files/request_database.json" "$scratch/hostfactory/"
sqlite3 -bail "$scratch/hawkfish/hawkfish.db" ".read $files/hawkfish.sql" >/dev/null
printf '%s\n' "$scratch"
