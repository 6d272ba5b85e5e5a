# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options for evidence.

Written by "make docs" from dev/options/evidence.yml and the argument specs: ansible-test requires literal text.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  evidence:
    description:
      - Whether the run is recorded in the chained journal of evidence of the host, and the head of the journal is
        anchored in the repository. M(day2.ops.evidence_info) verifies it. The journal belongs to the user of the task.
      - The first run with V(true) begins the journal. If this option is not set, runs are recorded on hosts that have
        one.
      - Check mode records nothing. If a line can't be written, the task does not fail for that reason, but warns.
    type: bool
"""

    REPOSITORIES = r"""
options:
  repositories:
    description:
      - Repositories whose anchors are compared with the journal. Each is a repository of backups with
        O(day2.ops.backup#module:evidence), with its options. They are only read.
      - Without an anchor to compare, RV(chain) is V(unproven), as the whole journal could have been rewritten.
    type: list
    elements: dict
    suboptions:
      repository:
        description:
          - Where the backups are, with one subdirectory for each set. This is a directory, C(s3://bucket/prefix) for a
            bucket of S3 or of a server that speaks its protocol (see O(repositories[].s3)), or C(rclone:REMOTE:path)
            for anything else that rclone can reach, such as SFTP (see O(repositories[].rclone)).
          - A directory of the host that does not exist is created with mode V(0700). It must not be located inside a
            store that is backed up to it. A bucket, or a path of a remote, is never created.
          - A repository is written to either through S3 or through rclone. The other protocol can only read it.
          - With O(repositories[].engine=restic), this is a repository of restic, a directory or an address as restic
            writes it, for example C(sftp:user@host:/path) or C(rest:https://host/path). C(s3://bucket/prefix) and
            C(rclone:REMOTE:path) use O(repositories[].s3) and O(repositories[].rclone). If it does not exist, it is
            created.
          - The format is documented in C(docs/FORMAT.md) of the collection.
        type: path
        required: true
      s3:
        description:
          - Access to S3, for addresses that start with C(s3://). Parameters that are not set are looked up as by the
            AWS tools, in the environment, in C(~/.aws) and in the role of the instance.
          - This requires the Python library C(boto3) (1.26 or newer) on the host.
          - Reading a repository requires the permissions C(s3:ListBucket), C(s3:GetBucketVersioning) and
            C(s3:GetObject), and if versioning is enabled, C(s3:ListBucketVersions) and C(s3:GetObjectVersion). Writing
            also requires C(s3:PutObject), C(s3:DeleteObject), C(s3:DeleteObjectVersion), C(s3:AbortMultipartUpload) and
            C(s3:ListBucketMultipartUploads).
        type: dict
        suboptions:
          endpoint_url:
            description: URL of the endpoint, if it is not one of Amazon's.
            type: str
          region:
            description: AWS region.
            type: str
          profile:
            description: Profile in C(~/.aws/config). It cannot be combined with O(repositories[].s3.access_key_id).
            type: str
          access_key_id:
            description: Access key. It requires O(repositories[].s3.secret_access_key).
            type: str
          secret_access_key:
            description: Secret of the access key.
            type: str
          session_token:
            description:
              - Session token of temporary credentials. It requires O(repositories[].s3.access_key_id) and
                O(repositories[].s3.secret_access_key).
            type: str
          ca_bundle:
            description: File with the certificates of trusted CAs, if the system does not trust them.
            type: path
          addressing:
            description:
              - Whether the bucket is part of the path or of the host name of requests. By default, boto3 decides.
            type: str
            choices: [auto, path, virtual]
          storage_class:
            description: Storage class of new objects, for example V(STANDARD_IA).
            type: str
          server_side_encryption:
            description: Server-side encryption of new objects.
            type: str
            choices: [AES256, aws:kms, aws:kms:dsse]
          throttle_timeout:
            description: How long to retry while the server throttles requests. The default is V(5m).
            type: str
          kms_key_id:
            description:
              - Key for O(repositories[].s3.server_side_encryption=aws:kms) or V(aws:kms:dsse), if it is not the default
                one.
            type: str
      rclone:
        description:
          - Access through the program rclone, for addresses C(rclone:REMOTE:path). REMOTE is the name of a remote in
            its configuration file, or any name for the remote that O(repositories[].rclone.settings) describes.
          - This requires the program C(rclone), 1.60 or newer, on the host.
        type: dict
        suboptions:
          config:
            description:
              - Configuration file of rclone that describes the remote. The default is that of the user, unless
                O(repositories[].rclone.settings) is set. An encrypted file cannot be used.
            type: path
          settings:
            description:
              - Settings of the remote, named as in the configuration file of rclone. They override those of the file.
              - C(type) selects the kind of storage, for example V(sftp), V(smb), V(webdav), V(azureblob), V(b2) or
                V(swift). For V(sftp), C(known_hosts_file) is required, as rclone would trust every server without it.
            type: dict
          secrets:
            description:
              - Secret settings, such as passwords, in the form that C(rclone obscure) prints. They are passed to rclone
                in its environment and are never shown.
            type: dict
          settle:
            description:
              - How long it takes until listings of the remote show the writes of other hosts, V(20s) at most. The
                default is V(0s), for remotes whose listings are always up to date, such as SFTP.
            type: str
          server:
            description:
              - Whether to start one rclone process for all small requests of a task, which keeps its connections,
                instead of one for each of them. It listens on a free port of loopback (C(rclone rcd)), requires a
                password that only this task knows, and ends with the task. With SFTP, a request then takes
                milliseconds, as it needs no new connection. If settings are added to a remote of a configuration file,
                it is not started if the name of the remote contains a dot, a dash, C(+) or C(@).
            type: bool
            default: false
          ca_bundle:
            description: File with the certificates of trusted CAs, if the system does not trust them.
            type: path
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
      restic:
        description:
          - Access to a repository of restic, with O(repositories[].engine=restic). One of
            O(repositories[].restic.password) and O(repositories[].restic.password_file) is required.
          - This requires the program C(restic), 0.14 or newer, on the host.
        type: dict
        suboptions:
          password:
            description:
              - Password of the repository. It is passed to restic through a pipe and never shown. If it is lost, the
                backups are lost, too.
            type: str
          password_file:
            description: File on the host with the password.
            type: path
          environment:
            description:
              - Environment variables for restic, such as the credentials of its back ends (C(B2_ACCOUNT_ID),
                C(RESTIC_REST_USERNAME), …). They are never shown.
            type: dict
      names_key:
        description:
          - Hide the names of backup sets from anyone who can read the repository, but has no identity. The name of a
            set is then replaced with its digest under this key (HMAC-SHA-256), and stored encrypted beside the backups.
          - This requires O(day2.ops.backup#module:encrypt_to) for new backups. The key must be random, have at least 16
            characters, and be the same on all hosts that use the set. Without it, the set is not found.
          - Existing sets keep their names. With the key, they are not found.
        type: str
      limit:
        description:
          - Maximum rate of transfers to and from the repository in bytes per second, for example V(20M). It applies to
            S3, to rclone and to restic. In S3, it applies to the data, not to small requests for lists, manifests and
            locks.
        type: str
      grace:
        description:
          - How long to keep the data of a removed backup in S3, through rclone and in repositories of restic, for reads
            that have begun. The default is V(24h), the minimum V(1h). Leftovers of interrupted copies are kept for the
            same time, and through rclone the leftovers of other interrupted runs as well.
        type: str
"""
