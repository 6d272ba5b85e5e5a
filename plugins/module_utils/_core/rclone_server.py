# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One rclone for all small calls of a run, which keeps its connections. It listens on loopback, for those who have the
password of this run, and ends with the run.

What it does not do as expected is done by a call of its own, which tells what is wrong.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import secrets
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional
from urllib.parse import quote, urlencode

# It ends when the other end of its input does, whatever ends the run or the shell; and the shell ends when it does.
_SCRIPT = (
    "command -v rclone >/dev/null || exit; exec 3<&0; "
    'rclone "$@" </dev/null 3<&- & server=$!; (read -r _ <&3; kill $server) & exec 3<&-; wait $server; kill $!'
)
_STARTS = 60.0  # seconds
_SERVING = re.compile(rb"remote control on http://127\.0\.0\.1:(\d+)/")
_USER = "day2"


class Server:
    """
    :param place: REMOTE:path, which all calls are below.
    :param words: options of all calls.
    """

    def __init__(self, place: str, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self._place = place
        self._words = words
        self._environment = environment
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._port = 0  # -1: it could not be started, or has ended
        self._starting = threading.Lock()
        self._password = secrets.token_hex(32)
        self._own = threading.local()

    def ask(self, words: Sequence[str], data: Optional[bytes], limit: float) -> Optional[tuple[int, bytes]]:
        """Do what a call of rclone with these words would: a status as of HTTP, and what it prints. None: it can't, or
        has failed.

        :param limit: seconds.
        """
        call = _CALLS.get(words[0])
        if call is None or "]" in self._place or not self._started():
            return None
        arguments = [word for word in words[1:] if not word.startswith("-")]
        keys = [one[len(self._place) :].lstrip("/") for one in arguments]
        try:
            return call(_Call(self, limit), keys, words, data or b"")
        except (OSError, http.client.HTTPException, ValueError):
            self._forget()
            return None

    def _started(self) -> bool:
        with self._starting:
            if not self._port:
                self._port = self._start()
            if self._process is None or self._process.poll() is not None:
                self._port = -1  # another program may have the port by now, which must not see the password
            return self._port > 0

    def _start(self) -> int:
        """The port that it listens on."""
        from .rclone import file_of  # only here: it imports this module

        environment = {**self._environment, "RCLONE_RC_USER": _USER, "RCLONE_RC_PASS": self._password}
        words = ["rcd", "--rc-addr=127.0.0.1:0", "--rc-serve", *self._words, "--log-level=NOTICE"]
        with file_of(b"") as said:
            # run_command is a module's, and waits for the end
            self._process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                ["sh", "-c", _SCRIPT, "sh", *words],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )
            deadline = time.monotonic() + _STARTS
            while time.monotonic() < deadline and self._process.poll() is None:
                said.seek(0)
                found = _SERVING.search(said.read())
                if found:
                    return int(found[1])
                time.sleep(0.02)
        self.close()
        return -1

    def request(self, method: str, path: str, body: bytes, kind: str, limit: float) -> tuple[int, bytes]:
        """One request. Raises OSError or HTTPException when it is not answered."""
        made = getattr(self._own, "connection", None)
        if made is None:
            made = self._own.connection = http.client.HTTPConnection("127.0.0.1", self._port)
            made.connect()
        made.sock.settimeout(limit)
        token = base64.b64encode(f"{_USER}:{self._password}".encode()).decode()
        made.request(method, path, body or None, {"Authorization": f"Basic {token}", "Content-Type": kind})
        answer = made.getresponse()
        return answer.status, answer.read()

    @property
    def place(self) -> str:
        return self._place

    def _forget(self) -> None:
        """The next call needs another connection."""
        made, self._own.connection = getattr(self._own, "connection", None), None
        if made is not None:
            made.close()

    def close(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()  # type: ignore[union-attr]
            process.wait()


class _Call:
    """Requests of one call."""

    def __init__(self, server: Server, limit: float) -> None:
        self._server = server
        self._limit = limit

    def command(self, name: str, **parameters: Any) -> tuple[int, bytes]:
        body = json.dumps(parameters).encode()
        return self._server.request("POST", f"/{name}", body, "application/json", self._limit)

    def listing(self, keys: Sequence[str], words: Sequence[str], _data: bytes) -> Optional[tuple[int, bytes]]:
        """As lsjson prints it: names are below what is listed."""
        options = {
            "recurse": "--recursive" in words,
            "filesOnly": "--files-only" in words,
            "noMimeType": True,
        }
        status, out = self.command("operations/list", fs=self._server.place, remote=keys[0], opt=options)
        if status != 200:
            return _missing(status)
        found = json.loads(out)["list"] or []
        below = len(keys[0]) + 1 if keys[0] else 0
        return 200, json.dumps([{**one, "Path": one["Path"][below:]} for one in found]).encode()

    def read(self, keys: Sequence[str], _words: Sequence[str], _data: bytes) -> Optional[tuple[int, bytes]]:
        path = quote(f"/[{self._server.place}]/{keys[0]}", errors="surrogateescape")
        status, out = self._server.request("GET", path, b"", "", self._limit)
        return (200, out) if status == 200 else _missing(status)

    def write(self, keys: Sequence[str], _words: Sequence[str], data: bytes) -> Optional[tuple[int, bytes]]:
        folder, _slash, name = keys[0].rpartition("/")
        mark = secrets.token_hex(16)
        shown = name.replace("\\", "\\\\").replace('"', '\\"')
        head = f'--{mark}\r\nContent-Disposition: form-data; name="file0"; filename="{shown}"\r\n\r\n'
        body = head.encode() + data + f"\r\n--{mark}--\r\n".encode()
        query = urlencode({"fs": self._server.place, "remote": folder})
        kind = f"multipart/form-data; boundary={mark}"
        status, _out = self._server.request("POST", f"/operations/uploadfile?{query}", body, kind, self._limit)
        return (200, b"") if status == 200 else None

    def move(self, keys: Sequence[str], _words: Sequence[str], _data: bytes) -> Optional[tuple[int, bytes]]:
        place = self._server.place
        both = {"srcFs": place, "srcRemote": keys[0], "dstFs": place, "dstRemote": keys[1]}
        status, _out = self.command("operations/movefile", **both, _config={"IgnoreTimes": True})
        return (200, b"") if status == 200 else _missing(status)

    def delete(self, _keys: Sequence[str], _words: Sequence[str], data: bytes) -> Optional[tuple[int, bytes]]:
        for key in data.decode().splitlines():
            status, _out = self.command("operations/deletefile", fs=self._server.place, remote=key)
            if status not in (200, 404):
                return None
        return 200, b""


def _missing(status: int) -> Optional[tuple[int, bytes]]:
    return (404, b"") if status == 404 else None


_CALLS = {
    "lsjson": _Call.listing,
    "cat": _Call.read,
    "rcat": _Call.write,
    "moveto": _Call.move,
    "delete": _Call.delete,
}
