# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The query for the state of the archive; in a separate file, as health checks also use it."""

from __future__ import annotations

# An idle server writes a few hundred bytes at most after it has begun a segment.
ARCHIVER = """
SELECT json_build_object(
  'archive_mode', current_setting('archive_mode'),
  'archive_command', current_setting('archive_command'),
  'archive_timeout', (SELECT setting::int FROM pg_catalog.pg_settings WHERE name = 'archive_timeout'),
  'archived_until', extract(epoch FROM a.last_archived_time)::float,
  'archived_wal', a.last_archived_wal,
  'failed_count', a.failed_count,
  'failed', extract(epoch FROM a.last_failed_time)::float,
  'failed_wal', a.last_failed_wal,
  'waiting', w.waiting,
  'oldest', extract(epoch FROM w.oldest)::float,
  'written_since', CASE WHEN pg_catalog.pg_is_in_recovery() THEN false
     ELSE (pg_catalog.pg_walfile_name_offset(pg_catalog.pg_current_wal_lsn())).file_offset > 1024 END,
  'now', extract(epoch FROM pg_catalog.clock_timestamp())::float)
FROM pg_catalog.pg_stat_archiver AS a,
  (SELECT count(*) AS waiting, min(modification) AS oldest
   FROM pg_catalog.pg_ls_archive_statusdir() WHERE name LIKE '%.ready') AS w
""".strip()
