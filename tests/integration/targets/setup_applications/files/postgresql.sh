#!/usr/bin/env bash
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# postgresql.sh start|restart|stop: a PostgreSQL server without a port; start prints the directory of its socket.
set -euo pipefail
programs=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
as_postgres() {
  if [ "$(id -u)" -eq 0 ]; then (cd / && exec runuser -u postgres -- "$@"); else "$@"; fi
}
case $1 in
  start)
    place=$(as_postgres mktemp -d /tmp/day2-pg-XXXXXX)
    as_postgres "$programs/initdb" -D "$place/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N > /dev/null
    as_postgres "$programs/pg_ctl" -D "$place/data" -l "$place/log" -w -t 600 \
      -o "-c listen_addresses= -c unix_socket_directories=$place -c fsync=off" start > /dev/null
    echo "$place"
    ;;
  restart)
    as_postgres "$programs/pg_ctl" -D "$2/data" -m fast -w -t 600 restart > /dev/null
    ;;
  stop)
    for running in "$2"/*/postmaster.pid; do # the copies of it, too
      as_postgres "$programs/pg_ctl" -D "$(dirname "$running")" -m immediate -t 600 stop
    done
    rm -rf "$2"
    ;;
esac
