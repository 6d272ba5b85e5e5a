# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say where copies of backups are.

Written by "make docs" from dev/options/copies.yml and the argument specs: ansible-test requires literal text.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  from:
    description: The repository with the backups. It is only read.
    type: dict
    required: true
    suboptions:
      repository:
        description:
          - Where the backups are, a directory, C(s3://bucket/prefix) for a bucket of S3 or of a server that speaks its
            protocol (see O(from.s3)), or C(rclone:REMOTE:path) (see O(from.rclone)). With O(from.engine=restic), a
            repository of restic.
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
            description: Profile in C(~/.aws/config). It cannot be combined with O(from.s3.access_key_id).
            type: str
          access_key_id:
            description: Access key. It requires O(from.s3.secret_access_key).
            type: str
          secret_access_key:
            description: Secret of the access key.
            type: str
          session_token:
            description:
              - Session token of temporary credentials. It requires O(from.s3.access_key_id) and
                O(from.s3.secret_access_key).
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
              - Key for O(from.s3.server_side_encryption=aws:kms) or V(aws:kms:dsse), if it is not the default one.
            type: str
      rclone:
        description:
          - Access through the program rclone, for addresses C(rclone:REMOTE:path). REMOTE is the name of a remote in
            its configuration file, or any name for the remote that O(from.rclone.settings) describes.
          - This requires the program C(rclone), 1.60 or newer, on the host.
        type: dict
        suboptions:
          config:
            description:
              - Configuration file of rclone that describes the remote. The default is that of the user, unless
                O(from.rclone.settings) is set. An encrypted file cannot be used.
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
          - Access to a repository of restic, with O(from.engine=restic). One of O(from.restic.password) and
            O(from.restic.password_file) is required.
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
  to:
    description: The repository to which the backups are copied.
    type: dict
    required: true
    suboptions:
      repository:
        description:
          - Where the copies are, a directory, C(s3://bucket/prefix) for a bucket of S3 or of a server that speaks its
            protocol (see O(to.s3)), or C(rclone:REMOTE:path) (see O(to.rclone)). With O(to.engine=restic), a repository
            of restic, in which a copy is stored with the compression that the backup has.
          - A directory of the host that does not exist is created with mode V(0700). A bucket, or a path of a remote,
            is never created.
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
            description: Profile in C(~/.aws/config). It cannot be combined with O(to.s3.access_key_id).
            type: str
          access_key_id:
            description: Access key. It requires O(to.s3.secret_access_key).
            type: str
          secret_access_key:
            description: Secret of the access key.
            type: str
          session_token:
            description:
              - Session token of temporary credentials. It requires O(to.s3.access_key_id) and
                O(to.s3.secret_access_key).
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
              - Key for O(to.s3.server_side_encryption=aws:kms) or V(aws:kms:dsse), if it is not the default one.
            type: str
      rclone:
        description:
          - Access through the program rclone, for addresses C(rclone:REMOTE:path). REMOTE is the name of a remote in
            its configuration file, or any name for the remote that O(to.rclone.settings) describes.
          - This requires the program C(rclone), 1.60 or newer, on the host.
        type: dict
        suboptions:
          config:
            description:
              - Configuration file of rclone that describes the remote. The default is that of the user, unless
                O(to.rclone.settings) is set. An encrypted file cannot be used.
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
          - Access to a repository of restic, with O(to.engine=restic). One of O(to.restic.password) and
            O(to.restic.password_file) is required.
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
      lock_for:
        description:
          - Time for which backups in S3 are locked against removal (Object Lock), for example V(30d), at least V(2d).
            The bucket must have been created with Object Lock, and must not have a default retention.
          - Each run extends the locks of retained backups of which less than half of this time remains. It should
            therefore be more than twice the interval between runs.
          - Locked backups that the retention rules do not retain are removed by the first run after their lock has
            ended.
          - It requires the permissions C(s3:GetBucketObjectLockConfiguration), C(s3:GetObjectRetention) and
            C(s3:PutObjectRetention).
        type: str
      lock_mode:
        description:
          - V(governance) locks against every key without the permission C(s3:BypassGovernanceRetention), which the key
            of this task must therefore not have.
          - V(compliance) locks against everyone, including the owner of the bucket. It cannot be undone before the time
            has passed, and the storage must be paid for until then.
        type: str
        choices: [governance, compliance]
        default: governance
      lock_for_confirmed:
        description: Allow O(to.lock_for) of more than V(400d) with O(to.lock_mode=compliance).
        type: bool
        default: false
      encrypt_to:
        description:
          - Encrypt the copies to these recipients, as in O(day2.ops.backup#module:encrypt_to), if the backup itself is
            not encrypted. The copy then has another ID, and is decrypted again to verify it. A backup that is encrypted
            to the same recipients is copied as it is.
          - Without it, each backup is copied as it is, encrypted or not.
        type: list
        elements: str
      encryption:
        description:
          - With V(required), a newer backup that is not encrypted is refused if the copies are encrypted. Set it to
            V(optional) to stop encrypting the copies.
        type: str
        choices: [required, optional]
        default: required
      keep:
        description:
          - Retention rules for the copies, independent of those of the other repository. If not set, all copies are
            retained.
          - Backups that these rules would remove at once are not copied. If a backup could not be copied, none is
            removed.
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
              - V(m) is refused where it is ambiguous, as it could mean months, as in restic, or minutes. In V(1y5m7d)
                it means months.
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

    COPY_TO = r"""
options:
  copy_to:
    description:
      - Other repositories to which the newest backup is copied, with the same ID and the same bytes.
      - Copies are made after the backup was published, and verified in their repository. If a copy fails, the others
        are still tried, the backup is kept, and the task fails. The next run makes the missing copies, even if the data
        has not changed.
      - Backups that are older than the newest one are copied by M(day2.ops.backup_copy).
    type: list
    elements: dict
    suboptions:
      repository:
        description:
          - Where the copies are, a directory, C(s3://bucket/prefix) for a bucket of S3 or of a server that speaks its
            protocol (see O(copy_to[].s3)), or C(rclone:REMOTE:path) (see O(copy_to[].rclone)). With
            O(copy_to[].engine=restic), a repository of restic, in which a copy is stored with the compression that the
            backup has.
          - A directory of the host that does not exist is created with mode V(0700). A bucket, or a path of a remote,
            is never created.
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
            description: Profile in C(~/.aws/config). It cannot be combined with O(copy_to[].s3.access_key_id).
            type: str
          access_key_id:
            description: Access key. It requires O(copy_to[].s3.secret_access_key).
            type: str
          secret_access_key:
            description: Secret of the access key.
            type: str
          session_token:
            description:
              - Session token of temporary credentials. It requires O(copy_to[].s3.access_key_id) and
                O(copy_to[].s3.secret_access_key).
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
              - Key for O(copy_to[].s3.server_side_encryption=aws:kms) or V(aws:kms:dsse), if it is not the default one.
            type: str
      rclone:
        description:
          - Access through the program rclone, for addresses C(rclone:REMOTE:path). REMOTE is the name of a remote in
            its configuration file, or any name for the remote that O(copy_to[].rclone.settings) describes.
          - This requires the program C(rclone), 1.60 or newer, on the host.
        type: dict
        suboptions:
          config:
            description:
              - Configuration file of rclone that describes the remote. The default is that of the user, unless
                O(copy_to[].rclone.settings) is set. An encrypted file cannot be used.
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
          - Access to a repository of restic, with O(copy_to[].engine=restic). One of O(copy_to[].restic.password) and
            O(copy_to[].restic.password_file) is required.
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
      lock_for:
        description:
          - Time for which backups in S3 are locked against removal (Object Lock), for example V(30d), at least V(2d).
            The bucket must have been created with Object Lock, and must not have a default retention.
          - Each run extends the locks of retained backups of which less than half of this time remains. It should
            therefore be more than twice the interval between runs.
          - Locked backups that the retention rules do not retain are removed by the first run after their lock has
            ended.
          - It requires the permissions C(s3:GetBucketObjectLockConfiguration), C(s3:GetObjectRetention) and
            C(s3:PutObjectRetention).
        type: str
      lock_mode:
        description:
          - V(governance) locks against every key without the permission C(s3:BypassGovernanceRetention), which the key
            of this task must therefore not have.
          - V(compliance) locks against everyone, including the owner of the bucket. It cannot be undone before the time
            has passed, and the storage must be paid for until then.
        type: str
        choices: [governance, compliance]
        default: governance
      lock_for_confirmed:
        description: Allow O(copy_to[].lock_for) of more than V(400d) with O(copy_to[].lock_mode=compliance).
        type: bool
        default: false
      encrypt_to:
        description:
          - Encrypt the copies to these recipients, as in O(day2.ops.backup#module:encrypt_to), if the backup itself is
            not encrypted. The copy then has another ID, and is decrypted again to verify it. A backup that is encrypted
            to the same recipients is copied as it is.
          - Without it, each backup is copied as it is, encrypted or not.
        type: list
        elements: str
      encryption:
        description:
          - With V(required), a newer backup that is not encrypted is refused if the copies are encrypted. Set it to
            V(optional) to stop encrypting the copies.
        type: str
        choices: [required, optional]
        default: required
      keep:
        description:
          - Retention rules for the copies, independent of those of the other repositories. If not set, all copies are
            retained.
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
              - V(m) is refused where it is ambiguous, as it could mean months, as in restic, or minutes. In V(1y5m7d)
                it means months.
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
      offsite:
        description: Whether this repository is on another site, for the objective C(copies) of M(day2.ops.backup_info).
        type: bool
"""

    OBJECTIVE = r"""
options:
  copies:
    description:
      - Objective for the number of copies of the newest data. If it is not met, this is a problem.
      - The data itself is one copy. Each repository (O(repository) and O(copy_to)) is another one if its newest good
        backup is the newest of all of them, and within O(max_age).
      - A repository that cannot be read is also a problem, as its backups are unknown.
    type: dict
    suboptions:
      min:
        description: Minimum number of copies, for example V(3).
        type: int
      offsite:
        description: Minimum number of copies on another site, for example V(1).
        type: int
  offsite:
    description:
      - Whether O(repository) is on another site. The default is V(false) for a directory and for a server on this host,
        V(true) otherwise.
    type: bool
  copy_to:
    description:
      - Other repositories with copies, as in M(day2.ops.backup), so that both modules can have the same list. They are
        only read.
    type: list
    elements: dict
    suboptions:
      repository:
        description:
          - Where the copies are, a directory, C(s3://bucket/prefix) for a bucket of S3 or of a server that speaks its
            protocol (see O(copy_to[].s3)), or C(rclone:REMOTE:path) (see O(copy_to[].rclone)). With
            O(copy_to[].engine=restic), a repository of restic.
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
            description: Profile in C(~/.aws/config). It cannot be combined with O(copy_to[].s3.access_key_id).
            type: str
          access_key_id:
            description: Access key. It requires O(copy_to[].s3.secret_access_key).
            type: str
          secret_access_key:
            description: Secret of the access key.
            type: str
          session_token:
            description:
              - Session token of temporary credentials. It requires O(copy_to[].s3.access_key_id) and
                O(copy_to[].s3.secret_access_key).
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
              - Key for O(copy_to[].s3.server_side_encryption=aws:kms) or V(aws:kms:dsse), if it is not the default one.
            type: str
      rclone:
        description:
          - Access through the program rclone, for addresses C(rclone:REMOTE:path). REMOTE is the name of a remote in
            its configuration file, or any name for the remote that O(copy_to[].rclone.settings) describes.
          - This requires the program C(rclone), 1.60 or newer, on the host.
        type: dict
        suboptions:
          config:
            description:
              - Configuration file of rclone that describes the remote. The default is that of the user, unless
                O(copy_to[].rclone.settings) is set. An encrypted file cannot be used.
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
          - Access to a repository of restic, with O(copy_to[].engine=restic). One of O(copy_to[].restic.password) and
            O(copy_to[].restic.password_file) is required.
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
      lock_for:
        description: Not used by this module.
        type: str
      lock_mode:
        description: Not used by this module.
        type: str
        choices: [governance, compliance]
        default: governance
      lock_for_confirmed:
        description: Not used by this module.
        type: bool
        default: false
      encrypt_to:
        description: Not used by this module.
        type: list
        elements: str
      encryption:
        description: Not used by this module.
        type: str
        choices: [required, optional]
        default: required
      keep:
        description: Not used by this module.
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
              - V(m) is refused where it is ambiguous, as it could mean months, as in restic, or minutes. In V(1y5m7d)
                it means months.
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
      offsite:
        description:
          - Whether this repository is on another site. The default is V(false) for a directory and for a server on this
            host, V(true) otherwise.
        type: bool
"""
