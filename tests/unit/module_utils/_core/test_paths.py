# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.paths import check_paths, complaint, expand

SPEC: dict[str, Any] = {
    "repository": {"type": "path"},
    "name": {"type": "str"},
    "paths": {"type": "list", "elements": "path"},
    "signal": {"type": "dict", "options": {"pid_file": {"type": "path"}}},
    "sources": {"type": "list", "elements": "dict", "options": {"path": {"type": "path"}}},
}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"repository": "backups"}, "repository is the relative path backups; set it to an absolute path"),
        ({"repository": "./b"}, "repository is the relative path ./b"),
        ({"repository": ""}, "repository is empty"),
        (
            {"repository": "~nobody9/b"},
            "repository is ~nobody9/b, and nobody9 has no home directory here",
        ),
        ({"paths": ["/a", "b"]}, "paths[1] is the relative path b"),
        ({"signal": {"pid_file": "run.pid"}}, "signal.pid_file is the relative path run.pid"),
        ({"sources": [{"path": "/a"}, {"path": "a.db"}]}, "sources[1].path is the relative path a.db"),
    ],
)
def test_every_path_is_absolute(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_paths(SPEC, values)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "values",
    [
        {"repository": "/b", "name": "relative/names/are/no/paths", "paths": ["~/logs/*.log", "/var/log"]},
        {"repository": "s3://bucket/prefix", "sources": [{"path": "/a"}], "signal": None},
        {},
    ],
)
def test_what_is_no_path_is_left_alone(values: dict[str, Any]) -> None:
    check_paths(SPEC, values)


def test_home_directories_are_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert expand("~/b") == "/home/me/b"
    assert expand("/a~") == "/a~"
    assert not complaint(expand("~root/b"))
