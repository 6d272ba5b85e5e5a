#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: log_rotate
short_description: Rotate, compress and remove logs without losing a line
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Rotates all logs in one fast step, notifies the applications, and waits until no process writes to the rotated
    files. Only then are these compressed, at low priority and on all cores. Each compressed file is read back before
    its original is removed.
  - No state file is used. Which logs are due is determined from the logs and their rotated files. If a run is killed,
    the next one completes it, and no line is lost or duplicated.
  - If a log cannot be rotated, the others are still rotated. The task then fails and lists each log that was not.
  - Check mode reports for each file whether it would be rotated, compressed or removed, and the bytes that would be
    freed. To determine the sizes of compressed files, it compresses the data without storing it, which takes as long as
    a real run.
  - Links in directories that other users can write to are not followed, nothing is overwritten, and files with further
    hard links in such directories are skipped.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
notes:
  - Use either this module or logrotate for a log, not both. Files rotated by logrotate are adopted, whether their names
    have numbers or dates in the format of O(date_format).
  - Times are in UTC.
  - Only root on the host itself, with the capability C(CAP_SYS_PTRACE), can see every process that writes to a file. In
    a container, in a sandboxed unit, or as another user, the kernel is asked about each file (with a read lease, which
    requires root or the owner of the file). A file that may still have a writer is neither compressed nor removed, and
    O(method=in_place) does not cut it. Processes on other hosts cannot be seen.
  - Runs of the same user in a directory wait for each other. Runs of different users, or in different containers, do
    not.
  - A rotated file is removed only if its log exists or is named exactly in O(paths), and only if it has not been
    written to since the rotation. For files that an application numbers or dates itself, such as a ring (C(gc.log.0) to
    C(gc.log.4)), one file for each process (C(worker.1)), or C(app-2025-06-30T10-00-00.000.log), use
    M(day2.ops.retention).
options:
  paths:
    description:
      - Logs to rotate, as absolute paths or globs. Globs do not match rotated files, compressed files, hidden files and
        directories. Symbolic links that a glob matches are skipped with a warning.
      - If a glob matches C(app.1) and would match C(app), but C(app) does not exist, then C(app.1) could be a log or a
        rotated file. It is skipped with a warning. Name C(app) exactly, or use a glob that does not match it, such as
        C(app.[0-9]).
      - FIFOs, sockets and devices are errors. So are links and directories that are named exactly, and files that two
        entries match.
    type: list
    elements: path
    required: true
  exclude:
    description:
      - Globs of logs to exclude from O(paths). A glob with a slash is matched against the whole path, any other glob
        against the file name.
    type: list
    elements: str
    default: []
  size:
    description:
      - Rotate a log that has reached this size, for example V(100M), regardless of O(rotate_after) and O(frequency).
        Empty logs are never rotated by size.
      - At least one of O(size), O(rotate_after), O(frequency) and O(force) is required.
    type: str
  min_size:
    description: Do not rotate a log that is smaller than this, regardless of the other rules.
    type: str
  rotate_after:
    description:
      - Rotate a log that was last rotated at least this long ago, for example V(12h). See O(frequency) for how the last
        rotation is determined.
    type: str
  frequency:
    description:
      - Rotate a log that has not been rotated in the current hour, day, week (ISO 8601, from Monday), month or year.
      - The time of the last rotation is taken from the newest rotated file, from its name if it is dated, otherwise
        from the time of the last change of its inode. A log without rotated files is due, so the first run rotates
        every log that is not empty.
      - A rotation in the future is an error, because it means that the clock was set back.
    type: str
    choices: [hourly, daily, weekly, monthly, yearly]
  min_age:
    description:
      - Do not rotate a log again within this time after its last rotation, for example V(1h), regardless of the other
        rules.
    type: str
  force:
    description:
      - Rotate every log now, regardless of the other rules. Empty logs still require O(if_empty).
      - Each run rotates again. Use this option only for tasks that are run manually.
    type: bool
    default: false
  if_empty:
    description: Also rotate empty logs that are due according to O(rotate_after), O(frequency) or O(force).
    type: bool
    default: false
  missing_ok:
    description: Whether an entry of O(paths) may match nothing.
    type: bool
    default: false
  method:
    description:
      - V(rename) renames the log and creates a new one. The application must reopen its log. Notify it with O(signal),
        O(service) or O(after). A rotated file is not compressed or removed as long as a process writes to it.
      - V(in_place) removes the older lines from the beginning of the live file while it is being written to, without
        losing a line. It is for applications that never reopen their logs. Writers must append (C(O_APPEND)). Other
        writers are named, and the log is not rotated. It requires a file system that can collapse the beginning of a
        file (ext4, xfs).
      - V(in_place) removes whole blocks of the file system, so that the last lines, less than one block and one line,
        remain in the file. If the cut is in the middle of a line, the rotated file contains the whole line, and the
        live file begins with a blank line, which is not copied to the next rotated file.
      - With V(in_place), readers that follow the file, such as C(tail -F), interpret the cut as a truncation and may
        show again the lines that moved to the beginning.
      - If a run is killed immediately after the cut, the rotated lines are in a hidden file, C(.day2-LOG.cut-…), until
        the next run.
    type: str
    choices: [rename, in_place]
    default: rename
  allow_loss:
    description:
      - With O(method=in_place), on a file system that cannot collapse files, copy the file and truncate it, as
        C(copytruncate) of logrotate does. Lines written between the two steps are lost. RV(rotations[].window_bytes)
        estimates the possible loss from the preceding rate of writes. A burst can lose more.
      - It has no effect on other file systems.
    type: bool
    default: false
  names:
    description:
      - How rotated files are named. V(numbered) names them C(app.log.1), which becomes C(app.log.2) at the next
        rotation. V(dated) appends O(date_format) to C(app.log).
      - Both forms are recognised as rotated files, regardless of this option.
    type: str
    choices: [numbered, dated]
    default: numbered
  date_format:
    description:
      - Suffix of dated names, with C(%Y), C(%m), C(%d), C(%H), C(%M), C(%S) and C(%f) (the fraction, three to six
        digits), with C(%G) and C(%V) (the ISO week), or with C(%s) (seconds since 1970). The default is
        V(-%Y%m%d-%H%M%S).
      - Rotated files with the dates of another program, such as C(app-2025-06-30T10-00-00.000.log) of lumberjack, are
        recognised with V(-%Y-%m-%dT%H-%M-%S.%f) and O(extension=.log).
      - If the name already exists, the rotation fails. A format with only the day therefore allows one rotation per
        day, one with only C(%Y) and C(%m) one per month.
    type: str
  extension:
    description:
      - Extension that logs keep when they are rotated, for example V(.log). C(app.log) is then rotated to C(app.1.log)
        or, with O(names=dated), C(app-20250630-120000.log), followed by the suffix of the compression.
      - Logs with another extension, and rotated files that do not have their number or date before it, are treated as
        if this option was not set.
    type: str
  old_dir:
    description:
      - Directory for rotated files. It must exist unless O(create_old_dir) is set. A relative path is relative to the
        directory of each log.
      - Logs of the same name require different directories, even if different tasks rotate them. Rotated files in this
        directory are marked with the path of their log (in the extended attribute C(user.day2.log)), and those of
        another log are refused.
      - If it is on another file system, rotated files are moved there once no process writes to them. The copy is
        compared before the original is removed.
    type: str
  create_old_dir:
    description:
      - Create O(old_dir), with any missing parent directories, when the first file is moved into it. It gets the owner,
        group and permissions of the directory of the log.
    type: bool
    default: false
  keep:
    description: Rotated files to keep. A file is kept if any rule matches. If not set, all are kept.
    type: dict
    suboptions:
      last:
        description:
          - Number of newest rotated files to keep. With V(0), none are kept. A log is then rotated and, once no process
            writes to the rotated file, that file is removed.
        type: int
      within:
        description:
          - Keep files whose last line was written within this time, for example V(30d). Dated files are kept if they
            were rotated within this time.
          - Units are V(y), V(mo), V(w), V(d), V(h), V(min) and V(s), largest first. Months and years are calendar
            months and years.
          - V(m) is refused where it could mean months or minutes.
        type: str
  max_total_size:
    description:
      - Remove the oldest rotated files until they and their logs fit into this size. The limit applies separately to
        the logs of each directory (with their rotated files in O(old_dir)), so no directory can use up the limit of
        another.
      - Sizes are space on disk, not the apparent size of sparse files.
    type: str
  compression:
    description:
      - Compression of rotated files. The default is V(zstd) if the zstd program is found on the host, V(gzip)
        otherwise. Older rotated files that are not yet compressed are compressed, too.
    type: str
    choices: [gzip, none, xz, zstd]
  delay_compress:
    description:
      - Do not compress the newest rotated file until the next rotation. This is useful if people want to read it. It is
        not needed for applications that are slow to reopen their logs.
    type: bool
    default: false
  create:
    description: With O(method=rename), create a new log immediately. Otherwise, the application must create it.
    type: bool
    default: true
  mode:
    description:
      - Permissions of the new log, for example V("0640"). The default is the permissions of the old log, including its
        ACL.
    type: str
  owner:
    description: Owner of the new log. The default is the owner of the old log.
    type: str
  group:
    description: Group of the new log. The default is the group of the old log.
    type: str
  before:
    description:
      - Commands, each a list of words, to run once before the first log is rotated. If one fails, nothing is rotated.
      - Commands are run as the user of the task, never through a shell, and only if something is rotated.
      - If the program of any command, in this or the following options, does not exist, nothing is rotated. Check mode reports it, too.
    type: list
    elements: list
    default: []
  before_each:
    description:
      - Commands to run before each log is rotated. In their words, C({path}) is replaced by the path of the log, and
        C({rotated}) by the path of its rotated file. If one fails, that log is not rotated.
    type: list
    elements: list
    default: []
  after_each:
    description:
      - Commands to run for each log after all logs have been rotated, with the same replacements as in O(before_each).
    type: list
    elements: list
    default: []
  before_remove:
    description:
      - Commands to run before each rotated file is removed, with the same replacements as in O(before_each). If one
        fails, the file is kept, and the task fails at the end.
    type: list
    elements: list
    default: []
  after:
    description:
      - Commands to run once after all logs have been rotated. They also run if a process still writes to an older
        rotated file.
    type: list
    elements: list
    default: []
  signal:
    description: Signal that makes the application reopen its logs, sent once after all logs have been rotated.
    type: dict
    suboptions:
      pid_file:
        description:
          - File that contains the process ID. A file that users other than root can write to may only name a process of
            its owner.
        type: path
        required: true
      name:
        description: Name of the signal, for example V(USR1) for nginx.
        type: str
        default: HUP
  service:
    description:
      - Service to reload once after all logs have been rotated, with C(systemctl) if systemd is running, otherwise with
        C(service).
    type: str
  reopen_timeout:
    description:
      - How long to wait, after the notification, until no process writes to the rotated files. After this time, the
        task fails and names the processes. Nothing is lost, and the next run continues.
    type: str
    default: 10s
  run_as:
    description:
      - User to work as in the directories of the logs, for logs of an unprivileged user. Commands, signals and reloads
        are still executed as the user of the task.
      - Required for logs in directories that everybody can write to, unless the log is owned by root or the owner of
        the directory.
    type: str
  lock_timeout:
    description: How long to wait for another run that works in the same directory.
    type: str
    default: 1m
seealso:
  - module: day2.ops.backup
"""

EXAMPLES = r"""
- name: Rotate the nginx logs
  day2.ops.log_rotate:
    paths: ["/var/log/nginx/*.log"]
    frequency: daily
    size: 100M
    keep: {last: 14, within: 30d}
    signal: {pid_file: /run/nginx.pid, name: USR1}

- name: Rotate the logs of an application that never reopens them
  day2.ops.log_rotate:
    paths: ["/var/log/hawkfish/*.log"]
    size: 100M
    method: in_place
    keep: {last: 10}
    max_total_size: 5G
    run_as: hawkfish

- name: Rotate weekly into an archive, with dated names
  day2.ops.log_rotate:
    paths: [/var/log/hostfactory/backup.log]
    frequency: weekly
    missing_ok: true
    names: dated
    date_format: "-%Y%m%d"
    old_dir: /srv/archive/hostfactory
    compression: xz
    after: [[systemctl, kill, -s, HUP, hostfactory]]
"""

RETURN = r"""
msg:
  description: The result in words (in check mode, what would be done).
  type: str
  returned: always
  sample: 2 of 3 logs rotated, 2 files compressed, 1 removed, 190.7 MiB freed.
rotations:
  description: Result for each log that was matched.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: Path of the log.
      type: str
      sample: /var/log/nginx/access.log
    rotated:
      description: Whether the log was rotated.
      type: bool
      sample: true
    rotated_to:
      description:
        - File that the lines were rotated to, before any compression or move. V(none) if the log was not rotated.
      type: str
      sample: /var/log/nginx/access.log.1
    reason:
      description: Why the log was or was not rotated.
      type: str
      sample: it has reached 100.0 MiB
    bytes:
      description: Number of bytes rotated.
      type: int
      sample: 104857600
    window_bytes:
      description:
        - With O(allow_loss), if the file was truncated, an estimate of the number of bytes that writers may have lost.
          V(none) otherwise.
      type: int
      sample: null
    compressed:
      description: Rotated files that were compressed, or moved to O(old_dir).
      type: list
      elements: dict
      contains:
        name:
          description: Path of the rotated file.
          type: str
          sample: /var/log/nginx/access.log.1
        to:
          description: Path of the file that replaced it.
          type: str
          sample: /var/log/nginx/access.log.1.zst
        bytes:
          description: Size before, in bytes.
          type: int
          sample: 104857600
        stored_bytes:
          description: Size after, in bytes.
          type: int
          sample: 5242880
    removed:
      description: Rotated files that were removed.
      type: list
      elements: dict
      contains:
        name:
          description: Path of the file after the rotation.
          type: str
          sample: /var/log/nginx/access.log.15.zst
        bytes:
          description: Space on disk that the file occupied, in bytes.
          type: int
          sample: 5242880
        reason:
          description: Rule that caused the removal.
          type: str
          sample: keep.last is 14
    held_by:
      description: Processes that still write to a rotated file.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the command.
          type: str
          sample: python3
        pid:
          description: Process ID.
          type: int
          sample: 4711
    error:
      description: Problem with this log. V(none) if there is none.
      type: str
      sample: null
bytes_freed:
  description: Space on disk freed by compressing and removing files, in bytes.
  type: int
  returned: always
  sample: 199229440
problems:
  description: Problems with logs or entries of O(paths).
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: The log, or the entry of O(paths).
      type: str
      sample: /var/log/app/fifo.log
    problem:
      description: Description of the problem.
      type: str
      sample: /var/log/app/fifo.log is a FIFO, not a regular file.
duration_s:
  description: Duration of the task on the host in seconds.
  type: float
  returned: always
  sample: 1.2
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs.logs import rotate as log_rotate


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **log_rotate.ARGUMENTS), log_rotate.run)


if __name__ == "__main__":
    main()
