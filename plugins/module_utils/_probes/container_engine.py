# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API of Docker and Podman, on a socket of this host."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from .base import UNKNOWN, Deadline, ProbeFailed
from .http_client import Connection, HttpRequest, Route, parse_url

_LARGEST = 16 << 20


def find_socket(candidates: Sequence[str]) -> str:
    """The first of these sockets that exists. Raises ProbeFailed when none does."""
    path = next((one for one in candidates if os.path.exists(one)), None)
    if path is None:
        raise ProbeFailed(f"no container engine found: none of {', '.join(candidates)} exists", UNKNOWN)
    return path


def list_containers(path: str, condition: str, deadline: Deadline) -> Sequence[Mapping[str, Any]]:
    """All containers, in the list of the API.

    :param condition: a query to add, such as "&filters=…".
    """
    found = ask(path, "/containers/json?all=1" + condition, deadline)
    if not isinstance(found, list):
        raise ProbeFailed(f"{path}: the response is not that of a container engine", UNKNOWN)
    return found


def name_of(listed: Mapping[str, Any]) -> str:
    """The name of a container in such a list."""
    return str((listed.get("Names") or ["?"])[0]).lstrip("/")


def ask(path: str, target: str, deadline: Deadline) -> Any:
    """The response, None for 404. Raises ProbeFailed or TimeUp when there is none."""
    connection = Connection(parse_url("http://localhost" + target), route=Route(unix=path))
    try:
        answer = connection.exchange(HttpRequest(headers={"Connection": "close"}), deadline, True, _LARGEST)
    except ProbeFailed as exc:
        raise ProbeFailed(str(exc), UNKNOWN if "denied" in str(exc) else exc.status) from None
    finally:
        connection.hang_up()
    if answer.status == 404:
        return None
    try:
        document = json.loads(answer.body.data)
    except ValueError:
        document = None
    if answer.status != 200 or document is None:
        said = document.get("message", "") if isinstance(document, dict) else ""
        raise ProbeFailed(f"{path} returned {answer.status} {said or answer.reason}", UNKNOWN)
    return document
