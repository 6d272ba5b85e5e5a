# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups in S3, killed at each of their requests, and with each answer lost in turn."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Callable, Optional
from urllib.parse import urlsplit

import boto3
import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._core.s3_signed import Signed
from ansible_collections.day2.ops.plugins.module_utils._repository import s3_upload
from ansible_collections.day2.ops.plugins.module_utils._repository.s3 import S3Objects
from ansible_collections.day2.ops.tests.faults.verb import run_verb
from tests.conftest import TIMES
from tests.services.repositories import KINDS, client

STEP = 1 if TIMES > 1 else 7  # one of so many requests in a row: each takes four runs


class Cutter(threading.Thread):
    """Passes requests on to a server, and breaks the connection in place of the n-th answer."""

    def __init__(self, url: str, at: int) -> None:
        super().__init__(daemon=True)
        self._target = (str(urlsplit(url).hostname), int(urlsplit(url).port or 80))
        self._at = at
        self._answers = itertools.count(1)
        self.cut = False
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.start()

    def run(self) -> None:
        while True:
            near, _address = self._socket.accept()
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError):  # each side may go away at any moment
            self._pass_on(near)

    def _pass_on(self, near: socket.socket) -> None:
        far = socket.create_connection(self._target)
        asked = threading.Event()
        threading.Thread(target=self._up, args=(near, far, asked), daemon=True).start()
        while True:
            data = far.recv(1 << 16)
            if asked.is_set() and not data.startswith(b"HTTP/1.1 100"):
                asked.clear()
                if next(self._answers) == self._at:
                    self.cut = True
                    near.shutdown(socket.SHUT_RDWR)
                    return
            if not data:
                near.close()
                return
            near.sendall(data)

    @staticmethod
    def _up(near: socket.socket, far: socket.socket, asked: threading.Event) -> None:
        try:
            for data in iter(lambda: near.recv(1 << 16), b""):
                asked.set()
                far.sendall(data)
        except OSError:
            pass


class Application:
    """A document, and its backups in S3."""

    def __init__(self, place: dict[str, Any], path: Path) -> None:
        self.place = place
        self.path = path
        self.newest = ""  # the ID of the last backup of the fixture

    def params(self, **more: Any) -> dict[str, Any]:
        source = {"type": "json", "path": str(self.path)}
        # so little is not compressed: one file of two parts
        return {"name": "app", "source": source, "compression": "none", "keep": {"last": 2}, **self.place, **more}

    def change(self) -> None:
        self.path.write_text(json.dumps({"a": {"b": secrets.token_hex(3 << 20)}}))

    def backup(self, **more: Any) -> dict[str, Any]:
        return run_verb("backup", self.params(**more))

    def objects(self) -> list[str]:
        """The keys of all versions and delete markers of backups, below the set."""
        bucket, _slash, top = self.place["repository"][len("s3://") :].partition("/")
        page = client(self.place["s3"]).list_object_versions(Bucket=bucket, Prefix=f"{top}/app/2")
        return [one["Key"].split("/", 2)[2] for one in page.get("Versions", ()) + page.get("DeleteMarkers", [])]

    def marks(self) -> int:
        """How many removals have begun."""
        return sum(key.endswith("/removed") for key in self.objects())

    def check(self) -> tuple[list[str], list[str]]:
        """The backups, all of them whole, and what lies about besides."""
        info = run_verb("backup_info", {"name": "app", "verify": "full", **self.place})
        assert info["ok"], info["problems"]
        ids = [one["id"] for one in info["sets"][0]["backups"]]
        bucket, _slash, prefix = self.place["repository"][len("s3://") :].partition("/")
        api = client(self.place["s3"])
        keys = self.objects()
        removed = {key.split("/")[0] for key in keys if key.endswith("/removed")}
        litter = [
            key for key in keys if key.split("/")[0] not in {*ids, *removed} and not key.endswith("manifest.json")
        ]
        uploads = api.list_multipart_uploads(Bucket=bucket, Prefix=f"{prefix}/app/").get("Uploads", [])
        return sorted(ids), litter + [one["Key"] for one in uploads]


@pytest.fixture
def application(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Application]:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    monkeypatch.setattr(s3_upload, "PART", 5 << 20)
    with KINDS[getattr(request, "param", "s3-rgw")](tmp_path) as place:
        one = Application(place, tmp_path / "a.json")
        for dummy in range(2):
            one.change()
            one.newest = one.backup()["backup"]["id"]
        yield one


def killed_at(when: str, at: int, run: Callable[[], Any]) -> int:
    """The status of a run that is killed before or after its n-th request."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    count = 0

    def hook(**_more: Any) -> None:
        nonlocal count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

    real, ask = boto3.session.Session.client, Signed.ask

    def hooked(*arguments: Any, **more: Any) -> Any:
        made = real(*arguments, **more)
        made.meta.events.register("before-send.s3" if when == "before" else "after-call.s3", hook)
        return made

    def asking(*arguments: Any) -> Any:
        if when == "before":
            hook()
        answer = ask(*arguments)
        if when == "after":
            hook()
        return answer

    boto3.session.Session.client, Signed.ask = hooked, asking  # type: ignore[method-assign]
    try:
        run()
    except Day2Error:
        os._exit(3)
    os._exit(0)


@pytest.mark.parametrize(
    ("application", "when"), [("s3-rgw", "before"), ("s3-rgw-versions", "after")], indirect=["application"]
)
def test_killed_at_each_request(application: Application, when: str) -> None:
    newest = application.newest
    for at in range(1 + (when == "after"), 99, STEP):
        application.change()
        status = killed_at(when, at, application.backup)
        middle, _litter = application.check()
        assert newest in middle, "a backup that was to be kept is gone"
        again = application.backup()
        before, litter = application.check()
        assert litter == [], f"killed {when} request {at}"
        assert len(before) == 2
        newest = again["backup"]["id"]  # not always the last by name: the random part of two of one second has no order
        assert newest in before
        if status == 0:
            break
    assert status == 0
    assert at > 15


def killed_after(call: str, path: str, run: Callable[[], Any]) -> int:
    """The status of a run that is killed right after it has written or removed an object."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    real = getattr(S3Objects, call)

    def killing(self: S3Objects, what: Any, *more: Any) -> Any:
        what = what if isinstance(what, str) else list(what)
        answer = real(self, what, *more)
        if any(key.endswith(path) for key in ([what] if isinstance(what, str) else what)):
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(S3Objects, call, killing)
    try:
        run()
    finally:
        os._exit(1)


def test_killed_once_the_backup_is_there(application: Application) -> None:
    application.change()
    assert killed_after("create", "/manifest.json", application.backup) == signal.SIGKILL
    assert len(application.check()[0]) == 3
    again = application.backup(keep={"last": 3})
    assert (again["reason"], again["changed"]) == ("unchanged", False)
    assert application.check()[1] == []
    # with the mark of a removal, it is still a backup: the mark goes, and the policy is asked again
    assert killed_after("put", "/removed", application.backup) == signal.SIGKILL
    assert application.marks() == 1
    assert len(application.check()[0]) == 3  # it notes what it has verified, with the lock
    assert application.marks() == 0
    assert application.backup(keep={"last": 3})["removed"] == []
    assert len(application.backup()["removed"]) == 1
    # without its manifest, it is none
    run = partial(application.backup, keep={"last": 1})
    assert killed_after("remove", "/manifest.json", run) == signal.SIGKILL
    newest = [again["backup"]["id"]]
    assert application.check()[0] == newest
    assert application.backup(keep={"last": 1})["removed"] == []
    assert application.check() == (newest, [])


def test_each_answer_lost(application: Application) -> None:
    before, _litter = application.check()
    for at in range(1, 99, STEP):
        application.change()
        proxy = Cutter(application.place["s3"]["endpoint_url"], at)
        made = application.backup(s3={**application.place["s3"], "endpoint_url": proxy.url})
        assert made["changed"]
        before, litter = application.check()
        assert (litter, len(before)) == ([], 2), f"answer {at} was lost"
        assert made["backup"]["id"] in before  # not always the last by name, see above
        if not proxy.cut:
            break
    assert not proxy.cut


def test_two_hosts_at_once(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    application.change()
    began, ended = threading.Event(), threading.Event()
    outcome: list[Optional[str]] = []

    def other() -> None:
        began.wait()
        try:
            outcome.append(application.backup(lock_timeout="0s")["reason"])
        except Day2Error as exc:
            outcome.append(str(exc))
        finally:
            ended.set()

    thread = threading.Thread(target=other)
    thread.start()
    real = s3_upload.S3Upload.seal

    def slow(self: s3_upload.S3Upload) -> Any:
        began.set()
        ended.wait(120)
        return real(self)

    monkeypatch.setattr(s3_upload.S3Upload, "seal", slow)
    made = application.backup()
    thread.join()
    assert outcome[0] is not None
    assert "Another run is using this backup set: backup, process" in outcome[0]
    assert made["backup"]["id"] in application.check()[0]
