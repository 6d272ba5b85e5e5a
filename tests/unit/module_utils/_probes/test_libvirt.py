# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""libvirt against its own test driver."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

pytestmark = pytest.mark.once

Check = Callable[..., dict[str, Any]]

_NODE = """<node>
  <domain type='test'><name>web one</name><memory>1024</memory><os><type>hvm</type></os></domain>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
    <test:runstate>5</test:runstate><name>off</name><memory>1024</memory><os><type>hvm</type></os></domain>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
    <test:runstate>6</test:runstate><name>broken</name><memory>1024</memory><os><type>hvm</type></os></domain>
  <network><name>lan</name></network>
  <pool type='dir'><name>images</name><target><path>/images</path></target>
    <volume><name>disk</name><capacity>107000000000</capacity><allocation>91000000000</allocation>
      <target><path>/images/disk</path></target></volume>
  </pool>
</node>
"""


@pytest.fixture
def uri(tmp_path: Path) -> str:
    path = tmp_path / "node.xml"
    path.write_text(_NODE)
    return f"test://{path}"


def test_the_default_host(check: Check) -> None:
    options = {"domains": "test", "pools": ["default-pool"], "networks": ["default"], "warn": 1}
    result = check("libvirt", uri="test:///default", **options)
    assert result["status"] == "ok", result["message"]
    assert result["message"] == "test:///default responds, 1 running domain"
    assert result["value"] == 1
    assert check("libvirt", uri="test:///default", crit=2)["status"] == "critical"


def test_what_is_not_as_it_should_be(check: Check, uri: str) -> None:
    result = check("libvirt", uri=uri, domains=["web one", "off", "none"], pools=["images", "no"], networks=["wan"])
    assert result["status"] == "critical"
    for problem in (
        "the domain off is shut off", "the domain none does not exist", "the domain broken has crashed",
        "the pool no is missing", "the network wan is missing", "the used space of the pool images is 84.75%",
    ):  # fmt: skip
        assert problem in result["message"]
    assert "web one" not in result["message"]
    assert result["value"] == 1


def test_states_that_are_good(check: Check) -> None:
    result = check("libvirt", uri="test:///default", domains=["test"], state=["shut off"])
    assert (result["status"], result["message"]) == ("critical", "the domain test is running")


def test_no_connection(check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = check("libvirt", uri="qemu+tcp://127.0.0.1:1/system")
    assert result["status"] == "critical"
    assert "Connection refused" in result["message"]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check("libvirt")["message"] == "virsh can't be run: No such file or directory"
