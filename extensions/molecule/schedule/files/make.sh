#!/usr/bin/env bash
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
install -d -m 0700 -o app -g app /home/app /home/app/data /home/app/data/private
install -d /srv/document /srv/database /srv/directory
echo '{"things": []}' >/srv/document/doc.json
python3 -c 'import sqlite3; sqlite3.connect("/srv/database/app.db").execute("CREATE TABLE things (number INTEGER)")'
echo first >/srv/directory/first
install -d /srv/records
systemctl start redis-server
install -d /srv/cache /srv/drill /srv/metrics /var/log/app
seq 1000 >/home/app/data/numbers
cp /bin/true /home/app/data/setuid
chown app:app /home/app/data/numbers
chmod 4755 /home/app/data/setuid
ln -s numbers /home/app/data/link
python3 -c 'import os; os.setxattr("/home/app/data/numbers", "user.note", b"x")'
touch -d "3 days ago" /srv/cache/old
touch /srv/cache/new
seq 1000 >/var/log/app/app.log
chown app:app /var/log/app/app.log
