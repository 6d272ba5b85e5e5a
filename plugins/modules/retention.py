#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: retention
short_description: Keep, compress, archive and remove files and directories by age, number, size and room
version_added: 0.1.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Applies tiers to what a rule's globs match. An entry (a file, or a directory with all below it) is B(hot) and left alone,
    B(warm) and compressed in place, B(cold) and moved to an archive, or B(removed), by the last of the rule's tiers whose
    conditions hold.
  - Nothing is removed before its copy was read back and has the same SHA-256, be that a compressed file, a copy in an archive
    directory, or an object in S3. What lies in an archive is never overwritten. (Uploads to S3 are conditional; a server that
    knows no conditions can be overtaken by somebody who writes the same key between the look and the upload.)
  - Left alone, and reported in RV(skipped_entries), is what a process has open for writing; that is looked at again before each
    entry. What was written to after it was
    looked at, two rules that match the same path, links, and whatever else is not a regular file are problems of that entry. All
    other entries are done, then the task fails and lists each problem.
  - The age of a directory is that of its newest file.
  - It can also limit the logs that Docker keeps of containers.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
options:
  rules:
    description: What to look at, and what becomes of it.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the rule in results and errors.
        type: str
        required: true
      paths:
        description:
          - Absolute paths with globs (V(*), V(?), V([...])) of the entries. Hidden entries are matched only by a glob that starts
            with a dot.
          - A file is matched with and without the suffix of a compression, so that V(*.log) goes on to match what became
            C(app.log.zst).
        type: list
        elements: str
        required: true
      type:
        description: What the entries are. Anything else that O(rules[].paths) match is a problem.
        type: str
        choices: [file, directory]
        default: file
      exclude:
        description: Globs of names that are no entries.
        type: list
        elements: str
      missing_ok:
        description: Whether the directory above the first glob, or a path without globs, may be missing.
        type: bool
        default: false
      keep_last:
        description: The newest so many entries of the rule stay as they are.
        type: int
      tiers:
        description: From young to old. The last one whose conditions all hold applies; without any condition it always holds.
        type: list
        elements: dict
        required: true
        suboptions:
          tier:
            description:
              - V(hot) leaves the entry alone.
              - V(warm) compresses a file; of a directory the files that neither O(rules[].tiers[].keep) nor
                O(rules[].tiers[].remove) name. A name that somebody else gives to another file later, like C(app.log.1), does not
                suit it.
              - V(cold) puts it into O(rules[].tiers[].destination), then removes it.
              - V(remove) removes it.
            type: str
            choices: [hot, warm, cold, remove]
            required: true
          older_than:
            description: Holds for entries of at least this age, for example V(7d).
            type: str
          larger_than:
            description: Holds for entries that are larger, for example V(100M).
            type: str
          when_disk_above:
            description:
              - Holds, for the oldest entries first, while their file system is fuller than this, for example V(80%), after what the
                earlier ones free.
              - What a compression will free is not known beforehand and counts as nothing.
            type: str
          when_total_above:
            description: Holds, for the oldest entries first, while all entries of the rule take more than this, for example V(10G).
            type: str
          keep:
            description: With tier V(warm) of directories, globs of the files that stay as they are.
            type: list
            elements: str
          remove:
            description: With tier V(warm) of directories, globs of the files that are removed.
            type: list
            elements: str
          compression:
            description: With tier V(warm). The default is V(zstd) where that program is found, else V(gzip).
            type: str
            choices: [gzip, xz, zstd]
          only:
            description:
              - With tier V(cold) of directories, globs of the files that are archived. The others are removed with the directory.
              - A directory that has files, and none of these, is a problem, and stays.
              - The default is all.
            type: list
            elements: str
          destination:
            description:
              - With tier V(cold), a directory of the host (another disk, a mounted share), or C(s3://bucket/prefix).
              - An entry keeps its path below the first glob there.
              - It can't be inside an entry, or hold one; with O(rules[].tiers[].when_disk_above) it can't be on the same file system.
            type: str
  s3:
    description: How to reach S3, where a destination is there. What is left out is found the way of the AWS tools.
    type: dict
    suboptions:
      endpoint_url:
        description: For a server that is not Amazon's.
        type: str
      region:
        description: The region.
        type: str
      profile:
        description: A profile of C(~/.aws/config).
        type: str
      access_key_id:
        description: The access key.
        type: str
      secret_access_key:
        description: Its secret.
        type: str
      session_token:
        description: Of temporary credentials.
        type: str
  docker:
    description:
      - Limits the logs that Docker keeps of containers, in its configuration file. Everything else in that file stays as it is.
      - Docker checks some log options only when it creates a container. All are checked before the file is written, including those
        that it already has; a file with which Docker or new containers would not start is refused.
      - The limits apply to containers created after Docker is restarted. The restart is left to you.
    type: dict
    suboptions:
      daemon_json:
        description: Docker's configuration file.
        type: path
        default: /etc/docker/daemon.json
      log_driver:
        description:
          - The log driver to set. The default is the one that the file sets, or C(json-file) if it sets none.
          - A file that sets any other driver is left as it is unless this option is set.
        type: str
        choices: [json-file, local]
      max_size:
        description:
          - Maximum size of a log file, for example V(10m).
          - C(json-file) does not limit logs without it; C(local) uses 20 MB.
        type: str
      max_file:
        description:
          - Maximum number of log files per container. Docker's default is 1 for C(json-file) and 5 for C(local).
        type: int
      compress:
        description:
          - Whether rotated files are compressed. This requires at least two files (O(docker.max_file)).
          - Docker's default is V(false) for C(json-file) and V(true) for C(local).
        type: bool
  lock_timeout:
    description: How long to wait for another run in the same directory.
    type: str
    default: 1m
requirements:
  - boto3, for a destination in S3
notes:
  - To see who has a file of another user open takes root.
seealso:
  - module: day2.ops.log_rotate
  - module: day2.ops.backup
"""

EXAMPLES = r"""
- name: Runs stay for a week, then shrink, and go to S3 after a month; the newest 100 stay whatever their age
  day2.ops.retention:
    rules:
      - name: runs
        paths: [/data/outputs/*]
        type: directory
        keep_last: 100
        tiers:
          - tier: warm
            older_than: 7d
            keep: [audit.log.json]
            remove: [metrics.csv, report.html]
          - tier: cold
            older_than: 30d
            only: [audit.log.json]
            destination: s3://data-profiler-archive/runs

- name: Empty a cache, oldest first, as long as the disk is fuller than 80 %
  day2.ops.retention:
    rules:
      - name: cache
        paths: [/var/cache/dotmac/*]
        tiers:
          - tier: remove
            older_than: 1h
            when_disk_above: 80%

- name: Limit the logs of new containers (Docker compresses what it rotates), and remove old ones of those that are there
  day2.ops.retention:
    docker:
      max_size: 10m
      max_file: 3
      compress: true
    rules:
      - name: container logs
        paths: [/var/lib/docker/containers/*/*-json.log.*]
        missing_ok: true
        tiers:
          - tier: remove
            older_than: 30d
"""

RETURN = r"""
entries:
  description: What was done (in check mode, would be done), oldest first within a rule.
  type: list
  elements: dict
  returned: success
  contains:
    rule:
      description: Name of the rule.
      type: str
      sample: runs
    path:
      description: The entry.
      type: str
      sample: /data/outputs/run-17
    tier:
      description: What it became.
      type: str
      sample: cold
    why:
      description: The conditions that held.
      type: str
      sample: 31d old, over 30d
    bytes:
      description: Size of its files before.
      type: int
      sample: 1048576
    bytes_freed:
      description: How much smaller they are now.
      type: int
      sample: 1048576
    destination:
      description: Where it was archived; V(none) if it was not.
      type: str
      sample: s3://data-profiler-archive/runs
    archived:
      description: How many of its files were archived.
      type: int
      sample: 1
    compressed:
      description: How many of its files were compressed.
      type: int
      sample: 0
    removed:
      description: How many of its files were removed.
      type: int
      sample: 4
kept:
  description: How many entries stay as they are.
  type: int
  returned: success
  sample: 100
skipped_entries:
  description: Entries whose time had come, and that somebody has open for writing.
  type: list
  elements: dict
  returned: success
  contains:
    rule:
      description: Name of the rule.
      type: str
      sample: runs
    path:
      description: The entry.
      type: str
      sample: /data/outputs/run-18
    why:
      description: Who has which file open.
      type: str
      sample: python3 (process 4711) has /data/outputs/run-18/audit.log.json open for writing
problems:
  description: What could not be done; the task fails when there are any, after all else was done.
  type: list
  elements: dict
  returned: always
  contains:
    rule:
      description: Name of the rule; empty when two are concerned.
      type: str
      sample: runs
    path:
      description: The entry.
      type: str
      sample: /data/outputs/latest
    problem:
      description: What is wrong, and what to do.
      type: str
      sample: /data/outputs/latest is no directory.
bytes_freed:
  description: By all entries.
  type: int
  returned: success
  sample: 1048576
docker:
  description: Docker's configuration; V(none) without O(docker).
  type: dict
  returned: success
  contains:
    path:
      description: The file.
      type: str
      sample: /etc/docker/daemon.json
    changed:
      description: Whether it was changed.
      type: bool
      sample: true
duration_s:
  description: Seconds that the task took on the host.
  type: float
  returned: success
  sample: 0.4
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs import retention


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **retention.ARGUMENTS), retention.run)


if __name__ == "__main__":
    main()
