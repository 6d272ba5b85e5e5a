#!/bin/sh
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# wreck.sh HOST: what bad days of the example's hosts look like. Their services meet it running.
set -eu
# Nothing is to be written over what is wrecked here.
touch /run/application.quiet
[ "$1" = dotmac1 ] || application pause
case $1 in
  hostfactory1)
    # An editor, and a full disk.
    document=/opt/hostfactory/data/request_database.json
    truncate --size=$(($(stat --format=%s "$document") / 2)) "$document"
    ;;
  hostfactory2)
    rm /opt/hostfactory/data/request_database.db*
    ;;
  hawkfish1)
    # As after a power failure on a bad disk.
    systemctl kill --signal=KILL hawkfish
    systemctl stop hawkfish
    dd if=/dev/urandom of=/var/lib/hawkfish/hawkfish.db bs=4096 count=5 conv=notrunc status=none
    rm -f /var/lib/hawkfish/hawkfish.db-*
    echo "port: 1" >/etc/hawkfish/hawkfish.yml
    systemctl start hawkfish
    ;;
  profiler1)
    rm -r /data/outputs/run-00001 /data/outputs/run-00002/profile.json
    echo "{" >/data/outputs/run-00003/profile.json
    ;;
  dotmac1)
    rm -r /etc/dotmac
    ;;
esac
rm /run/application.quiet
# Time to fall over it.
sleep 2
