#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cache_clean
short_description: Remove keys from a Redis cache by pattern, missing expiry or idle time
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Removes the keys of a Redis (or Valkey) server whose names match a pattern and that meet all conditions.
  - Keys are looked up page by page (C(SCAN)) with a pause after each page, and their memory is freed in the background
    (C(UNLINK)), so that the server can serve other clients in between.
  - In a cluster, the keys of all primaries are removed. Connect to any of its servers.
  - A key that a client writes during the run may or may not be found. The conditions of a key are checked and the key
    is removed in one atomic step.
  - Check mode fails if the server would refuse to remove a key, for example because of the user's rights or because it
    accepts no writes. To determine this, C(UNLINK) is queued in a transaction, which is then discarded. If the user has
    no permission for C(MULTI) and C(PING), keys are only counted.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.verb
attributes:
  diff_mode:
    support: none
options:
  pattern:
    description: Pattern of the names as in C(SCAN), with V(*), V(?) and V([...]), such as V(cache:*).
    type: str
    required: true
  without_ttl:
    description: Whether to remove only keys that never expire.
    type: bool
    default: false
  idle:
    description:
      - Remove only keys that no client has used for this time, such as V(7d).
      - This requires a server with C(maxmemory) and a policy that ends in C(-lru). Other servers do not record idle
        times, or share values between keys, which makes idle times wrong.
    type: str
  allow_all:
    description: Whether O(pattern) may match all keys, such as V(*) and V(?*).
    type: bool
    default: false
  time_limit:
    description: Stop after the page that ends after this time, such as V(10m). The next run begins again, without
      the keys that were removed.
    type: str
  host:
    description: Name or address of the server.
    type: str
    default: 127.0.0.1
  port:
    description: Port of the server.
    type: int
    default: 6379
  socket:
    description: Unix socket to connect to instead of O(host) and O(port).
    type: path
  database:
    description: Number of the database.
    type: int
    default: 0
  username:
    description: User (Redis 6 and later).
    type: str
  password:
    description: Password.
    type: str
  tls:
    description: Whether to use TLS.
    type: bool
    default: false
  validate_certs:
    description: With O(tls), whether the certificate of the server must be trusted.
    type: bool
    default: true
  ca:
    description: With O(tls), file with the certificates of trusted CAs. The default is that of the system.
    type: path
  client_certificate:
    description: With O(tls), file with the client certificate (PEM).
    type: path
  client_key:
    description: With O(tls), file with the private key of O(client_certificate), if it is not in the same file.
    type: path
"""

EXAMPLES = r"""
- name: Remove sessions that never expire
  day2.ops.cache_clean:
    pattern: session:*
    without_ttl: true
    password: "{{ redis_password }}"
"""

RETURN = r"""
matched:
  description: Number of keys that matched the pattern. It is approximate, as Redis can return a key more than once.
  type: int
  returned: success, and if the task failed after it had removed keys
  sample: 120
removed:
  description: Number of keys that were removed. In check mode, approximate number of keys that would be removed.
  type: int
  returned: success, and if the task failed after it had removed keys
  sample: 100
stopped:
  description: V(time_limit) if the task stopped before it had examined all keys, otherwise null.
  type: str
  returned: success
  sample: null
memory_before:
  description: Memory used by the server before, in bytes; in a cluster, by all primaries.
  type: int
  returned: success
  sample: 1048576
memory_after:
  description: Memory used by the server afterwards, in bytes.
  type: int
  returned: success
  sample: 524288
bytes_freed:
  description: The difference. Other clients influence it. 0 in check mode. The process of the server may keep the
    memory for later use.
  type: int
  returned: success
  sample: 524288
msg:
  description: What was done, in words.
  type: str
  returned: success
  sample: "Removed 100 keys. Used memory: 1.0 MiB before, 512.0 KiB now."
duration_s:
  description: Duration of the task on the host in seconds.
  type: float
  returned: success
  sample: 0.2
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs import cache_clean


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **cache_clean.ARGUMENTS), cache_clean.run)


if __name__ == "__main__":
    main()
