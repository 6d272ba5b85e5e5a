# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key of a host: made once, whoever else makes it at the same time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_key, host_state


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    return tmp_path / "state"


def test_it_is_made_once(state: Path) -> None:
    assert host_key.known() is None
    key = host_key.made()
    assert key == host_key.known() == host_key.made()
    assert os.listdir(state) == ["key.json"]
    assert (state / "key.json").stat().st_mode & 0o777 == 0o600


def test_the_order_of_fields_does_not_matter() -> None:
    assert host_key.canonical({"b": 1, "a": {"d": 2, "c": 3}}) == '{"a":{"c":3,"d":2},"b":1}'


def test_the_key_that_another_run_has_just_made_is_taken(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, read, looks = host_key.made(), host_state.read, []

    def too_early(*steps: str) -> dict[str, Any]:
        looks.append(steps)
        return read(*steps) if len(looks) > 2 else {}

    monkeypatch.setattr(host_state, "read", too_early)
    assert host_key.made() == key
    assert os.listdir(state) == ["key.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": "00"}'])
def test_what_is_damaged_is_replaced(state: Path, content: str) -> None:
    state.mkdir()
    (state / "key.json").write_text(content)
    assert host_key.made() == host_key.known()
    assert os.listdir(state) == ["key.json"]


def test_the_key_of_another_machine_or_of_another_length_is_none(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host_key.made()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(host_key, "machine", lambda: b"another")
        assert host_key.known() is None
    short = b"short"
    host_state.write({"key": short.hex(), "machine": host_key._mark(short)}, "key")
    assert host_key.known() is None
