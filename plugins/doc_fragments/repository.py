# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of everything that works on a repository."""

from __future__ import annotations


class ModuleDocFragment:
    """Repository, compression and retention."""

    DOCUMENTATION = r"""
options:
  repository:
    description:
      - The directory that keeps the backups, one directory a set in it. It is created with mode V(0700) when it is missing.
      - It must not be inside of what it keeps.
      - Options and formats are described in the collection's C(docs/FORMAT.md).
    type: path
    required: true
  lock_timeout:
    description:
      - How long to wait for another run that works on the same backup set. After it the task fails and says who holds the lock.
    type: str
    default: 1m
"""

    COMPRESSION = r"""
options:
  compression:
    description:
      - How the data files are compressed. The default is V(zstd) where its program is found on the host, else V(gzip).
      - V(zstd) and V(gzip) use all cores; V(xz) is the smallest and by far the slowest.
    type: str
    choices: [gzip, none, xz, zstd]
"""

    KEEP = r"""
options:
  keep:
    description:
      - Which backups to keep, with the meaning that restic gives these words; without it all are kept.
      - A backup is kept when any rule wants it. The newest good backup is kept in any case, and so is one that is being read.
      - Only backups of the same host and stores count. Safety backups, damaged backups and backups that are dated in the future do
        not count and are not removed.
      - Hours, days, weeks (ISO 8601), months and years are those of UTC. V(-1) keeps all.
    type: dict
    suboptions:
      last:
        description: The newest this many backups.
        type: int
      hourly:
        description: For the newest this many hours that have backups, the newest backup of each.
        type: int
      daily:
        description: For the newest this many days that have backups, the newest backup of each.
        type: int
      weekly:
        description: For the newest this many weeks that have backups, the newest backup of each.
        type: int
      monthly:
        description: For the newest this many months that have backups, the newest backup of each.
        type: int
      yearly:
        description: For the newest this many years that have backups, the newest backup of each.
        type: int
      within:
        description:
          - All backups made within this time before the newest backup, for example V(30d) or V(1y6mo).
          - Units are V(y), V(mo), V(w), V(d), V(h), V(min) and V(s), largest first; months and years are those of the calendar.
          - V(m) is refused where it could mean months, as in restic, or minutes. In V(1y5m7d) it means months.
        type: str
      within_hourly:
        description: Within this time before the newest backup, the newest backup of each hour.
        type: str
      within_daily:
        description: Within this time before the newest backup, the newest backup of each day.
        type: str
      within_weekly:
        description: Within this time before the newest backup, the newest backup of each week.
        type: str
      within_monthly:
        description: Within this time before the newest backup, the newest backup of each month.
        type: str
      within_yearly:
        description: Within this time before the newest backup, the newest backup of each year.
        type: str
      tags:
        description: All backups with any of these tags; V(a,b) means those with both.
        type: list
        elements: str
"""
