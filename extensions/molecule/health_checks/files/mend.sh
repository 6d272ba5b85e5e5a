#!/bin/sh
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mend.sh HOST: what break.sh has broken.
set -eu
case $1 in
  hostfactory1)
    mv /root/request_database.json /opt/hostfactory/data/
    rm /run/application.quiet
    ;;
  hostfactory2)
    sqlite3 /opt/hostfactory/data/request_database.db \
      "PRAGMA busy_timeout = 10000; DELETE FROM machines WHERE request_id = 999999999"
    ;;
  hawkfish1)
    systemctl start hawkfish
    ;;
  profiler1)
    umount /data/work
    ;;
esac
