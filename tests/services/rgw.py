# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Ceph RADOS Gateway on loopback, which is what many private clouds have: one of each daemon, in memory.

There is no manager: nobody asks for what it computes, and it is busy all the time. Nor is a log of what goes
well.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from .local import free_ports, program, running, wait_for_port

REGION = "us-east-1"
KEY, SECRET = "day2", "day2-secret"
CREDENTIALS = {"access_key_id": KEY, "secret_access_key": SECRET}

_CONFIGURATION = """
[global]
fsid = {fsid}
mon_host = v2:127.0.0.1:{mon}
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
auth_allow_insecure_global_id_reclaim = false
keyring = {top}/keyring
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 1
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
osd_objectstore = memstore
memstore_device_bytes = 4294967296
debug_osd = 0/0
debug_rgw = 0/0
debug_objecter = 0/0
run_dir = {top}
admin_socket = {top}/$name.asok
log_file = {top}/$name.log
osd_data = {top}/osd
mon_data = {top}/mon
[client.rgw.t]
rgw_frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw_enable_apis = s3, admin
rgw_dynamic_resharding = false
"""
_KEYS = {
    "mon.": ["--cap", "mon", "allow *"],
    "client.admin": ["--cap", "mon", "allow *", "--cap", "osd", "allow *"],
    "osd.0": ["--cap", "mon", "allow profile osd", "--cap", "osd", "allow *"],
    "client.rgw.t": ["--cap", "mon", "allow rwx", "--cap", "osd", "allow *"],
}


@contextlib.contextmanager
def rgw(directory: Path) -> Iterator[str]:
    """The URL of a gateway while the block runs."""
    with contextlib.ExitStack() as stack:
        # names of sockets are short
        top = Path("/tmp") / f"day2-rgw-{uuid.uuid4().hex[:8]}"
        stack.callback(subprocess.run, ["rm", "-rf", str(top)], check=True)
        for name in ("mon", "osd"):
            (top / name).mkdir(parents=True)
        mon, port = free_ports(2)
        fsid = str(uuid.uuid4())
        (top / "ceph.conf").write_text(_CONFIGURATION.format(top=top, fsid=fsid, mon=mon, port=port))
        conf = ["--conf", str(top / "ceph.conf")]
        create = ["--create-keyring"]
        for name, caps in _KEYS.items():
            _run("ceph-authtool", *create, str(top / "keyring"), "--gen-key", "-n", name, *caps)
            create = []
        monmap = str(top / "monmap")
        _run("monmaptool", "--create", "--fsid", fsid, "--addv", "t", f"v2:127.0.0.1:{mon}", monmap)
        _run("ceph-mon", *conf, "-i", "t", "--mkfs", "--monmap", monmap, "--keyring", str(top / "keyring"))
        stack.enter_context(running([_program("ceph-mon"), *conf, "-i", "t", "-f"], directory))
        ceph = ["ceph", *conf, "--connect-timeout", "300"]
        osd = str(uuid.uuid4())
        _run(*ceph, "osd", "new", osd, "0")
        _run("ceph-osd", *conf, "-i", "0", "--mkfs", "--osd-uuid", osd)
        _run(*ceph, "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=h")
        stack.enter_context(running([_program("ceph-osd"), *conf, "-i", "0", "-f"], directory))
        _wait_for_osd(ceph)
        gateway = [_program("radosgw"), *conf, "-n", "client.rgw.t", "-f"]
        process = stack.enter_context(running(gateway, directory))
        wait_for_port(port, process)
        user = ["user", "create", "--uid", "t", "--display-name", "t", "--access-key", KEY, "--secret-key", SECRET]
        _run("radosgw-admin", *conf, *user)
        yield f"http://127.0.0.1:{port}"


def _program(name: str) -> str:
    return program(name, "ceph-mon ceph-osd radosgw ceph-common")


def _run(name: str, *arguments: str) -> str:
    done = subprocess.run([_program(name), *arguments], capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        raise RuntimeError(f"{name} {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def _wait_for_osd(ceph: list[str]) -> None:
    until = time.monotonic() + 300
    while "1 up" not in _run(*ceph, "osd", "stat"):
        if time.monotonic() > until:
            raise RuntimeError("the OSD of Ceph does not start")
        time.sleep(0.2)
