# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every probe promises. A new one gets these tests by its line in the registry; it needs an entry in `MISSING`."""

from __future__ import annotations

import gc
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.outcome import STATUSES
from ansible_collections.day2.ops.plugins.module_utils._probes.registry import PROBES, find_probe

Check = Callable[..., dict[str, Any]]
# What is secret, and so long that nothing else can hold it by chance.
SECRET = "s3cret-4c1b9e"


class Nowhere(NamedTuple):
    """Where there is nothing: a port that refuses, a path below which nothing is."""

    port: int
    path: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


# Options with which a check of each type looks at something that is not there.
MISSING: dict[str, Callable[[Nowhere], dict[str, Any]]] = {
    "backup": lambda no: {"repository": no.path, "backup_set": "app"},
    "command": lambda no: {"argv": [no.path]},
    "container": lambda no: {"container": "none", "socket": no.path},
    "cpu": lambda no: {"duration": "0.05s"},
    "disk": lambda no: {"path": no.path},
    "dns": lambda no: {"query": "example.org", "server": "127.0.0.1", "port": no.port},
    "domain": lambda no: {"domain": "example.org", "rdap_url": no.url},
    "dynamodb": lambda no: {
        "table": "t", "region": "eu-north-1", "endpoint_url": no.url, "access_key_id": "a", "secret_access_key": SECRET
    },
    "docker": lambda no: {"socket": no.path, "live_restore": True},
    "file": lambda no: {"path": no.path},
    "http": lambda no: {"url": no.url, "headers": {"X-Key": SECRET}, "token": SECRET},
    "https": lambda no: {"url": no.url.replace("http", "https"), "username": "me", "password": SECRET},
    "icmp": lambda no: {"host": "host.invalid"},
    "json": lambda no: {"path": no.path},
    "libvirt": lambda no: {"uri": f"qemu+unix:///system?socket={no.path}"},
    "load": lambda no: {},
    "load_test": lambda no: {"url": no.url, "duration": "0.2s", "token": SECRET},
    "memory": lambda no: {},
    "postgresql": lambda no: {"host": "127.0.0.1", "port": no.port, "username": "u", "password": SECRET},
    "postgresql_archive": lambda no: {"host": "127.0.0.1", "port": no.port, "username": "u", "password": SECRET},
    "process": lambda no: {"process": "no-such-program"},
    "redis": lambda no: {"port": no.port, "password": SECRET},
    "references": lambda no: {
        "store": "json", "path": no.path, "references": [{"from": "a.b", "to": "c.d"}]
    },
    "service": lambda no: {"service": "no-such-unit.service"},
    "sqlite": lambda no: {"path": no.path},
    "swap": lambda no: {},
    "tcp": lambda no: {"host": "127.0.0.1", "port": no.port, "send": SECRET},
    "time": lambda no: {"server": "127.0.0.1", "port": no.port},
    "tls": lambda no: {"host": "127.0.0.1", "port": no.port},
}  # fmt: skip
HERE = {"cpu", "load", "memory", "swap"}  # look at this host, which is there


@pytest.fixture
def nowhere(tmp_path: Path) -> Iterator[Nowhere]:
    # Bound and not listened to: nobody else gets the port while the test runs. The same one refuses datagrams.
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield Nowhere(holder.getsockname()[1], str(tmp_path / "none" / "such"))


def test_every_type_has_its_entry() -> None:
    assert sorted(MISSING) == sorted(PROBES), "say in MISSING how a check of this type finds nothing"


@pytest.mark.parametrize("kind", sorted(PROBES))
def test_what_is_not_there_is_told_and_is_not_ok(check: Check, nowhere: Nowhere, kind: str, tmp_path: Path) -> None:
    options = MISSING[kind](nowhere)
    before = sorted(tmp_path.rglob("*"))
    found, again = check(kind, **options), check(kind, **options)
    assert found["status"] in STATUSES
    assert found["message"], found
    assert found["message"].isprintable()
    if kind in HERE:
        assert found["value"] is not None
        assert found["status"] != "unknown"
    else:
        assert found["status"] in ("critical", "unknown")
        assert (found["status"], found["message"]) == (again["status"], again["message"])
    assert SECRET not in json.dumps(found)
    assert sorted(tmp_path.rglob("*")) == before  # whoever looks changes nothing


@pytest.mark.parametrize("kind", sorted(PROBES))
def test_nothing_stays_open(check: Check, nowhere: Nowhere, kind: str) -> None:
    options = MISSING[kind](nowhere)
    check(kind, **options)  # what a first use loads may stay
    gc.collect()
    before = os.listdir("/proc/self/fd")
    check(kind, **options)
    gc.collect()
    assert sorted(os.listdir("/proc/self/fd")) == sorted(before)


@pytest.mark.parametrize("kind", sorted(PROBES))
def test_what_is_missing_or_unknown_among_the_options_is_named(check: Check, nowhere: Nowhere, kind: str) -> None:
    options = MISSING[kind](nowhere)
    with pytest.raises(InvalidRequest, match="no_such_option"):
        check(kind, **options, no_such_option=1)
    for name in (name for name, option in find_probe(kind).OPTIONS.items() if option.required):
        with pytest.raises(InvalidRequest, match=name):
            check(kind, **{other: value for other, value in options.items() if other != name})
        with pytest.raises(InvalidRequest, match=name):
            check(kind, **{**options, name: {"an": ["object"]}})
