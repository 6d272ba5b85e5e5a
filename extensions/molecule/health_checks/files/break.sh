#!/bin/sh
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# break.sh HOST: what goes wrong on the example's hosts.
set -eu
case $1 in
  hostfactory1)
    application pause
    cp -p /opt/hostfactory/data/request_database.json /root/
    truncate --size=-100 /opt/hostfactory/data/request_database.json
    ;;
  hostfactory2)
    sqlite3 /opt/hostfactory/data/request_database.db \
      "PRAGMA busy_timeout = 10000; INSERT INTO machines VALUES ('nobody''s', 999999999)"
    ;;
  hawkfish1)
    systemctl stop hawkfish
    ;;
  profiler1)
    mount -t tmpfs -o size=1m tmpfs /data/work
    dd if=/dev/zero of=/data/work/filler bs=1k count=950 status=none
    ;;
  dotmac1)
    systemctl kill --signal=KILL redis-server postgresql@*
    systemctl stop redis-server postgresql
    ;;
esac
