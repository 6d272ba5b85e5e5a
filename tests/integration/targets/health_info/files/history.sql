-- Copyright (c) 2026, day2.ops contributors
-- GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later
-- A history of version 1, as of now: a day in which the API failed in the last half hour.
PRAGMA application_id = 1681027944;
PRAGMA user_version = 1;
CREATE TABLE checks (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL, unit TEXT NOT NULL, status TEXT NOT NULL,
    message TEXT NOT NULL, since REAL NOT NULL, checked_at REAL NOT NULL
);
CREATE TABLE outcomes (
    check_id INTEGER NOT NULL REFERENCES checks (id), checked_at REAL NOT NULL, status TEXT NOT NULL, quiet INTEGER NOT NULL,
    duration_s REAL NOT NULL, value REAL, PRIMARY KEY (check_id, checked_at)
) WITHOUT ROWID;
INSERT INTO checks VALUES
    (1, 'api', 'http', 's', 'critical', 'connection refused', strftime('%s', 'now') - 1800, strftime('%s', 'now') - 60),
    (2, 'disk', 'disk', 'percent', 'ok', '41% used', strftime('%s', 'now') - 86000, strftime('%s', 'now') - 60);
WITH RECURSIVE minute (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM minute WHERE n < 1400)
INSERT INTO outcomes SELECT 1, strftime('%s', 'now') - 60 * n, iif(n <= 30, 'critical', 'ok'), 0, 0.01 + n / 100000.0,
    iif(n <= 30, NULL, 0.01) FROM minute;
INSERT INTO outcomes SELECT 2, strftime('%s', 'now') - 60, 'ok', 0, 0.001, 41;
