# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of modules that use a repository.

Written by "make docs" from dev/options/repository.yml and the argument specs: ansible-test requires literal text.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  repository:
    description:
      - Where the backups are, with one subdirectory for each set. This is a directory, C(s3://bucket/prefix) for a
        bucket of S3 or of a server that speaks its protocol (see O(s3)), or C(rclone:REMOTE:path) for anything else
        that rclone can reach, such as SFTP (see O(rclone)).
      - A directory of the host that does not exist is created with mode V(0700). It must not be located inside a store
        that is backed up to it. A bucket, or a path of a remote, is never created.
      - A repository is written to either through S3 or through rclone. The other protocol can only read it.
      - With O(engine=restic), this is a repository of restic, a directory or an address as restic writes it, for
        example C(sftp:user@host:/path) or C(rest:https://host/path). C(s3://bucket/prefix) and C(rclone:REMOTE:path)
        use O(s3) and O(rclone). If it does not exist, it is created.
      - The format is documented in C(docs/FORMAT.md) of the collection.
    type: path
    required: true
  engine:
    description:
      - V(day2) stores each backup as separate files, which standard tools can read.
      - V(restic) stores backups as snapshots of restic. It stores equal parts of different backups only once, and
        encrypts everything with one password. This is useful for many backups of trees and documents that grow.
      - With V(restic), recovery requires restic and the password, the data is copied to C(TMPDIR) (or C(/var/tmp))
        first, and O(day2.ops.backup#module:encrypt_to), O(day2.ops.backup#module:lock_for) and
        O(day2.ops.backup#module:compression) cannot be used.
    type: str
    choices: [day2, restic]
    default: day2
  names_key:
    description:
      - Hide the names of backup sets from anyone who can read the repository, but has no identity. The name of a set is
        then replaced with its digest under this key (HMAC-SHA-256), and stored encrypted beside the backups.
      - This requires O(day2.ops.backup#module:encrypt_to) for new backups. The key must be random, have at least 16
        characters, and be the same on all hosts that use the set. Without it, the set is not found.
      - Existing sets keep their names. With the key, they are not found.
    type: str
  limit:
    description:
      - Maximum rate of transfers to and from the repository in bytes per second, for example V(20M). It applies to S3,
        to rclone and to restic. In S3, it applies to the data, not to small requests for lists, manifests and locks.
    type: str
  grace:
    description:
      - How long to keep the data of a removed backup in S3, through rclone and in repositories of restic, for reads
        that have begun. The default is V(24h), the minimum V(1h). Leftovers of interrupted copies are kept for the same
        time, and through rclone the leftovers of other interrupted runs as well.
    type: str
  lock_timeout:
    description:
      - How long to wait for another run that has locked the backup set. If the lock is not released in this time, the
        task fails and names the holder of the lock.
    type: str
    default: 1m
"""

    TIMEOUT = r"""
options:
  timeout:
    description:
      - Maximum duration of the task, including copies, for example V(2h). A task that takes longer fails, reports its
        progress, and leaves nothing incomplete. Completed parts of a copy are kept for the next run. The task waits for
        requests that have begun. By default, there is no limit.
    type: str
"""

    COMPRESSION = r"""
options:
  compression:
    description:
      - Compression of the data files. The default is V(zstd) if the zstd program is found on the host, V(gzip)
        otherwise.
      - V(zstd) uses all cores and is many times faster than V(gzip). V(xz) produces the smallest files and is by far
        the slowest.
    type: str
    choices: [gzip, none, xz, zstd]
"""

    KEEP = r"""
options:
  keep:
    description:
      - Retention rules, with the same meaning as in restic. If not set, all backups are retained.
      - A backup is retained if any rule matches it. The newest good backup is always retained, and in a directory also
        any backup that is being read. In S3 and through rclone, the data of a removed backup is kept for some time (see
        O(grace)), for reads that have begun.
      - Only backups of the same host and stores are counted. Safety backups, damaged backups and backups dated in the
        future are not counted and not removed.
      - Hours, days, weeks (ISO 8601), months and years are in UTC. V(-1) retains all.
    type: dict
    suboptions:
      last:
        description: Number of newest backups to retain.
        type: int
      hourly:
        description: For this many most recent hours that have backups, retain the newest backup of each hour.
        type: int
      daily:
        description: For this many most recent days that have backups, retain the newest backup of each day.
        type: int
      weekly:
        description: For this many most recent weeks that have backups, retain the newest backup of each week.
        type: int
      monthly:
        description: For this many most recent months that have backups, retain the newest backup of each month.
        type: int
      yearly:
        description: For this many most recent years that have backups, retain the newest backup of each year.
        type: int
      within:
        description:
          - Retain all backups made within this time before the newest backup, for example V(30d) or V(1y6mo).
          - Units are V(y), V(mo), V(w), V(d), V(h), V(min) and V(s), largest first. Months and years are calendar
            months and years.
          - V(m) is refused where it is ambiguous, as it could mean months, as in restic, or minutes. In V(1y5m7d) it
            means months.
        type: str
      within_hourly:
        description: Within this time before the newest backup, retain the newest backup of each hour.
        type: str
      within_daily:
        description: Within this time before the newest backup, retain the newest backup of each day.
        type: str
      within_weekly:
        description: Within this time before the newest backup, retain the newest backup of each week.
        type: str
      within_monthly:
        description: Within this time before the newest backup, retain the newest backup of each month.
        type: str
      within_yearly:
        description: Within this time before the newest backup, retain the newest backup of each year.
        type: str
      tags:
        description: Retain all backups that have any of these tags. V(a,b) matches backups that have both tags.
        type: list
        elements: str
"""
