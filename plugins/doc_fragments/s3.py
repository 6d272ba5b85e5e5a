# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access to S3, for repositories and for archives.

Written by "make docs" from dev/options/s3.yml and the argument specs: ansible-test requires literal text.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  s3:
    description:
      - Access to S3, for addresses that start with C(s3://). Parameters that are not set are looked up as by the AWS
        tools, in the environment, in C(~/.aws) and in the role of the instance.
      - This requires the Python library C(boto3) (1.26 or newer) on the host.
      - Reading a repository requires the permissions C(s3:ListBucket), C(s3:GetBucketVersioning) and C(s3:GetObject),
        and if versioning is enabled, C(s3:ListBucketVersions) and C(s3:GetObjectVersion). Writing also requires
        C(s3:PutObject), C(s3:DeleteObject), C(s3:DeleteObjectVersion), C(s3:AbortMultipartUpload) and
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
        description: Profile in C(~/.aws/config). It cannot be combined with O(s3.access_key_id).
        type: str
      access_key_id:
        description: Access key. It requires O(s3.secret_access_key).
        type: str
      secret_access_key:
        description: Secret of the access key.
        type: str
      session_token:
        description:
          - Session token of temporary credentials. It requires O(s3.access_key_id) and O(s3.secret_access_key).
        type: str
      ca_bundle:
        description: File with the certificates of trusted CAs, if the system does not trust them.
        type: path
      addressing:
        description: Whether the bucket is part of the path or of the host name of requests. By default, boto3 decides.
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
        description: Key for O(s3.server_side_encryption=aws:kms) or V(aws:kms:dsse), if it is not the default one.
        type: str
"""

    OBJECT_LOCK = r"""
options:
  lock_for:
    description:
      - Time for which backups in S3 are locked against removal (Object Lock), for example V(30d), at least V(2d). The
        bucket must have been created with Object Lock, and must not have a default retention.
      - Each run extends the locks of retained backups of which less than half of this time remains. It should therefore
        be more than twice the interval between runs.
      - Locked backups that the retention rules do not retain are removed by the first run after their lock has ended.
      - It requires the permissions C(s3:GetBucketObjectLockConfiguration), C(s3:GetObjectRetention) and
        C(s3:PutObjectRetention).
    type: str
  lock_mode:
    description:
      - V(governance) locks against every key without the permission C(s3:BypassGovernanceRetention), which the key of
        this task must therefore not have.
      - V(compliance) locks against everyone, including the owner of the bucket. It cannot be undone before the time has
        passed, and the storage must be paid for until then.
    type: str
    choices: [governance, compliance]
    default: governance
  lock_for_confirmed:
    description: Allow O(lock_for) of more than V(400d) with O(lock_mode=compliance).
    type: bool
    default: false
"""
