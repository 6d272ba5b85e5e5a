#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: log_rotate
short_description: Rotate, compress and remove logs without losing a line
version_added: 0.1.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Rotates all logs in one fast step, tells the applications, waits until no process writes to the rotated files any more, and
    only then compresses them, niced and on all cores. Every compressed file is read back before its original goes.
  - There is no state file. What is due follows from the log and its rotated files; a run that was killed anywhere is completed by
    the next one, and no line is lost or kept twice.
  - A log that can't be rotated does not keep the others from being rotated; the task fails in the end and lists each.
  - Check mode tells for each file whether it would be rotated, compressed or removed, and the bytes freed. For the size of
    compressed files it compresses them into nothing, which takes as long as a run does.
  - No link is followed in a directory that others can write, nothing is overwritten, and a file that has further hard links is left
    alone there.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
notes:
  - Use either this module or logrotate for a log, not both. Rotated files that logrotate made are taken over, with numbers as
    with dates in the format of O(date_format).
  - Times are those of UTC.
  - Only root on the host itself, with the capability C(CAP_SYS_PTRACE), can see every process that writes to a file. In a container,
    in a sandboxed unit or as another user, the kernel is asked about each file (by a read lease, which requires root or
    the owner of the file). A file that may still have a writer is neither compressed nor removed, and
    O(method=in_place) does not cut it. Processes of other hosts cannot be seen.
  - Runs of one user exclude each other in a directory. Runs of different users, or in different containers, do not.
  - A rotated file is removed only if its log exists or is named exactly in O(paths), and only if it has not been written to since the
    rotation. For files that an application numbers or dates itself, such as a ring (C(gc.log.0) to C(gc.log.4)), one file for each
    process (C(worker.1)), or C(app-2025-06-30T10-00-00.000.log), use M(day2.ops.retention).
options:
  paths:
    description:
      - The logs; absolute paths or globs. A glob skips rotated files, compressed files, hidden files, directories, and, with a
        warning, symbolic links.
      - If a glob matches C(app.1) and would match C(app), but C(app) does not exist, then C(app.1) could be a log or a rotated file.
        It is skipped with a warning. Name C(app) exactly, or use a glob that does not match it, such as C(app.[0-9]).
      - FIFOs, sockets and devices are errors, and so are links and directories that are named exactly, and a file that two entries
        match.
    type: list
    elements: path
    required: true
  exclude:
    description:
      - Globs of logs to leave out of what O(paths) matches. A glob with a slash is compared with the whole path, any other with the
        name.
    type: list
    elements: str
    default: []
  size:
    description:
      - Rotate a log that has reached this size, for example V(100M), whatever O(rotate_after) and O(frequency) say. An empty log
        has reached no size.
      - At least one of O(size), O(rotate_after), O(frequency) and O(force) is required.
    type: str
  min_size:
    description: Do not rotate a log that is smaller, whatever the other rules say.
    type: str
  rotate_after:
    description:
      - Rotate a log whose last rotation is at least this long ago, for example V(12h). See O(frequency) for when that was.
    type: str
  frequency:
    description:
      - Rotate a log that was not rotated yet in this hour, day, week (ISO 8601, from Monday), month or year.
      - The last rotation is told by the newest rotated file; by its name when it is dated, else by when its inode was last
        changed. A log without rotated files was never rotated and is due, so that the first run rotates every log that is not empty.
      - A rotation in the future is an error; the clock was set back.
    type: str
    choices: [hourly, daily, weekly, monthly, yearly]
  min_age:
    description:
      - Do not rotate a log again within this time of its last rotation, for example V(1h), whatever the other rules say.
    type: str
  force:
    description:
      - Rotate every log now, whatever the other rules say. Empty logs still need O(if_empty).
      - Every run then rotates again; this is for a task that is run by hand.
    type: bool
    default: false
  if_empty:
    description: Rotate empty logs, too, when O(rotate_after), O(frequency) or O(force) says so.
    type: bool
    default: false
  missing_ok:
    description: Whether an entry of O(paths) may match nothing.
    type: bool
    default: false
  method:
    description:
      - V(rename) gives the log another name and makes a new one. The application has to open its log again; tell it by O(signal),
        O(service) or O(after). A rotated file is not compressed or removed as long as a process writes to it.
      - V(in_place) cuts the older lines out of the live file while it is written to, without losing one, for applications that
        do not open their logs again. Writers have to append (C(O_APPEND)); one that does not is refused by name. It needs a file
        system that can collapse a file's front (ext4, xfs).
      - With V(in_place) whole blocks of the file system are cut out, so that the last lines, less than a block and a line, stay. Where
        the cut falls into a line, the rotated file has the whole line, and the live file begins with a blank one, which is
        not carried into the next rotated file.
      - With V(in_place) readers that follow the file, like C(tail -F), take the cut for a truncation and may show again what
        moved to the front.
      - When a run is killed right behind the cut, the rotated lines are in a hidden file, C(.day2-LOG.cut-…), until the next run.
    type: str
    choices: [rename, in_place]
    default: rename
  allow_loss:
    description:
      - With O(method=in_place) on a file system that can't cut, copy the file and truncate it, as logrotate's C(copytruncate)
        does. What is written between the two is lost; RV(rotations[].window_bytes) estimates how much that can have been
        from what was written just before. A burst can cost more.
      - Elsewhere it changes nothing.
    type: bool
    default: false
  names:
    description:
      - How rotated files are called. V(numbered) is C(app.log.1), which moves up to C(app.log.2) at the next rotation; V(dated) is C(app.log)
        and O(date_format).
      - Both are recognised as rotated files, whichever is chosen.
    type: str
    choices: [numbered, dated]
    default: numbered
  date_format:
    description:
      - The end of dated names, with C(%Y), C(%m), C(%d), C(%H), C(%M), C(%S) and C(%f) (the fraction, three to six digits), with C(%G)
        and C(%V) (the ISO week), or with C(%s) (the seconds since 1970). The default is V(-%Y%m%d-%H%M%S).
      - Rotated files with the dates of another program, such as lumberjack's C(app-2025-06-30T10-00-00.000.log), are recognised
        by V(-%Y-%m-%dT%H-%M-%S.%f) and O(extension=.log).
      - A name that exists already is an error, so a format with only the day allows one rotation a day, one with only C(%Y) and C(%m) one a
        month.
    type: str
  extension:
    description:
      - An ending that logs keep when they are rotated, for example V(.log); C(app.log) is then rotated to C(app.1.log) or, with
        O(names=dated), C(app-20250630-120000.log), followed by the compression's suffix.
      - Logs with another ending, and rotated files that do not have their number or date before it, are treated as without this
        option.
    type: str
  old_dir:
    description:
      - The directory for rotated files, which must exist unless O(create_old_dir) is set; a relative path starts at the directory of each log.
      - Two logs of one name need an old_dir each, also when they are rotated by different tasks. Rotated files in it are marked with
        the path of their log (the extended attribute C(user.day2.log)), and those of another log are refused.
      - When it is on another file system, rotated files are moved there once nobody writes to them, compared before the original
        goes.
    type: str
  create_old_dir:
    description:
      - Create O(old_dir), and what is missing above it, when the first file is moved into it. It gets the owner, group and
        permissions of the log's directory.
    type: bool
    default: false
  keep:
    description: Which rotated files to keep; those that any of these wants. Without it all are kept.
    type: dict
    suboptions:
      last:
        description:
          - The newest this many. V(0) keeps none; a log is then rotated and, once no process writes to it any more, removed.
        type: int
      within:
        description:
          - Those whose last line was written (or that were rotated, if their names are dated) within this time, for example V(30d).
          - Units are V(y), V(mo), V(w), V(d), V(h), V(min) and V(s), largest first; months and years are those of the calendar.
          - V(m) is refused where it could mean months or minutes.
        type: str
  max_total_size:
    description:
      - Remove the oldest rotated files until they and their logs fit into this size. The limit holds for the logs of each
        directory by itself (with their rotated files in O(old_dir)), so no directory can use up the limit of another.
      - What counts is the space on the disk, not the size that a sparse file claims.
    type: str
  compression:
    description:
      - How rotated files are compressed. The default is V(zstd) where its program is found on the host, else V(gzip). Older rotated
        files that are not compressed yet are compressed, too.
    type: str
    choices: [gzip, none, xz, zstd]
  delay_compress:
    description:
      - Leave the newest rotated file as it is until the next rotation. This is for people who want to read it; it is
        not needed for applications that are slow to open their logs again.
    type: bool
    default: false
  create:
    description: With O(method=rename), make a new log right away. Otherwise the application makes it.
    type: bool
    default: true
  mode:
    description: Permissions of the new log, for example V("0640"). The default is those of the old one, with its ACL.
    type: str
  owner:
    description: Owner of the new log. The default is that of the old one.
    type: str
  group:
    description: Group of the new log. The default is that of the old one.
    type: str
  before:
    description:
      - Commands, each a list of words, to run once before the first log is rotated. When one fails, nothing is rotated.
      - Commands run as the user of the task, never through a shell, and only when something is rotated.
    type: list
    elements: list
    default: []
  before_each:
    description:
      - Commands to run before each log that is rotated. C({path}) in a word stands for the log, C({rotated}) for its rotated file. When
        one fails, that log is not rotated.
    type: list
    elements: list
    default: []
  after_each:
    description: Commands to run for each log after all were rotated, with the same words as in O(before_each).
    type: list
    elements: list
    default: []
  before_remove:
    description:
      - Commands to run before each rotated file that is removed, with the same words as in O(before_each). When one fails, the
        file is kept, and the task fails in the end.
    type: list
    elements: list
    default: []
  after:
    description: Commands to run once after all logs were rotated; also when a process still writes to an older rotated file.
    type: list
    elements: list
    default: []
  signal:
    description: The signal that makes the application open its logs again, sent once after all logs were rotated.
    type: dict
    suboptions:
      pid_file:
        description:
          - The file that holds the number of its process. One that others than root can write may name only a process of its owner.
        type: path
        required: true
      name:
        description: The signal, for example V(USR1) for nginx.
        type: str
        default: HUP
  service:
    description: The service to reload once after all logs were rotated, through C(systemctl) where systemd runs, else C(service).
    type: str
  reopen_timeout:
    description:
      - How long to wait until no process writes to the rotated files, after it was told to open its log again. After that
        the task fails and names it; nothing is lost, and the next run goes on from there.
    type: str
    default: 10s
  run_as:
    description:
      - The user to work as in the directories of the logs, for logs that are an unprivileged user's. Commands, signals and reloads are
        still the task's user's.
      - Required for a log in a directory that everybody can write, if it does not belong to root or the directory's owner.
    type: str
  lock_timeout:
    description: How long to wait for another run that works in the same directory.
    type: str
    default: 1m
seealso:
  - module: day2.ops.backup
"""

EXAMPLES = r"""
- name: Rotate the logs of nginx
  day2.ops.log_rotate:
    paths: ["/var/log/nginx/*.log"]
    frequency: daily
    size: 100M
    keep: {last: 14, within: 30d}
    signal: {pid_file: /run/nginx.pid, name: USR1}

- name: Rotate the logs of an application that never opens them again
  day2.ops.log_rotate:
    paths: ["/var/log/hawkfish/*.log"]
    size: 100M
    method: in_place
    keep: {last: 10}
    max_total_size: 5G
    run_as: hawkfish

- name: Rotate weekly into an archive, with dates in the names
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
  description: What was done, or in check mode would be done, in words.
  type: str
  returned: always
  sample: 2 of 3 logs rotated, 2 files compressed, 1 removed, 190.7 MiB freed.
rotations:
  description: Every log that was matched.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: The log.
      type: str
      sample: /var/log/nginx/access.log
    rotated:
      description: Whether it was rotated.
      type: bool
      sample: true
    rotated_to:
      description: What its lines are in now, unless that was compressed or moved afterwards; V(none) if it was not rotated.
      type: str
      sample: /var/log/nginx/access.log.1
    reason:
      description: Why it was rotated, or not.
      type: str
      sample: it has reached 100.0 MiB
    bytes:
      description: How much was rotated.
      type: int
      sample: 104857600
    window_bytes:
      description: With O(allow_loss), where the file was truncated, an estimate of the bytes that writers can have lost; else V(none).
      type: int
      sample: null
    compressed:
      description: The rotated files that were compressed, or moved to O(old_dir).
      type: list
      elements: dict
      contains:
        name:
          description: The rotated file.
          type: str
          sample: /var/log/nginx/access.log.1
        to:
          description: The file that took its place.
          type: str
          sample: /var/log/nginx/access.log.1.zst
        bytes:
          description: Its size before.
          type: int
          sample: 104857600
        stored_bytes:
          description: Its size now.
          type: int
          sample: 5242880
    removed:
      description: The rotated files that were removed.
      type: list
      elements: dict
      contains:
        name:
          description: The file, as it was called after the rotation.
          type: str
          sample: /var/log/nginx/access.log.15.zst
        bytes:
          description: The space that it took on the disk.
          type: int
          sample: 5242880
        reason:
          description: The rule that let it go.
          type: str
          sample: keep.last is 14
    held_by:
      description: The processes that still write to a rotated file.
      type: list
      elements: dict
      contains:
        name:
          description: The command.
          type: str
          sample: python3
        pid:
          description: The process.
          type: int
          sample: 4711
    error:
      description: What is wrong with it; V(none) if nothing is.
      type: str
      sample: null
bytes_freed:
  description: Space on the disk that was freed by compressing and removing.
  type: int
  returned: always
  sample: 199229440
problems:
  description: What is wrong with which log or entry of O(paths).
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: The log, or the entry.
      type: str
      sample: /var/log/app/fifo.log
    problem:
      description: What is wrong.
      type: str
      sample: /var/log/app/fifo.log is a FIFO, not a regular file.
duration_s:
  description: Seconds that the task took on the host.
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
