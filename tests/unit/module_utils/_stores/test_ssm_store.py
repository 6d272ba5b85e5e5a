# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of AWS Systems Manager, on ministack. What it does not do is tested by the calls that it gets."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    DamagedBackup,
    Day2Error,
    InvalidRequest,
    SourceError,
    TargetError,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.registry import open_store
from tests.services import throttle_proxy
from tests.services.s3 import CREDENTIALS, REGION

_numbers = itertools.count()


class Parameters:
    """Parameters under a prefix of their own, seen through boto3 and as a store, with a proxy between."""

    def __init__(self, url: str, proxy: Any, new_sink: Callable[[], Any], copy_of: Callable[[Any, Any], Any]) -> None:
        import boto3

        self.proxy, self.prefix = proxy, f"/t{next(_numbers)}/"
        self._new_sink, self._copy_of = new_sink, copy_of
        self.boto: Any = boto3.client(
            "ssm",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["access_key_id"],
            aws_secret_access_key=CREDENTIALS["secret_access_key"],
        )

    def put(self, name: str, value: str, **more: Any) -> None:
        self.boto.put_parameter(Name=self.prefix + name, Value=value, **{"Type": "String", **more})

    def change(self, name: str, value: str, **more: Any) -> None:
        self.put(name, value, Overwrite=True, **more)

    def label(self, name: str, *labels: str) -> None:
        self.boto.label_parameter_version(Name=self.prefix + name, Labels=list(labels))

    def values(self, prefix: str = "") -> dict[str, str]:
        at = prefix or self.prefix
        pages = self.boto.get_paginator("get_parameters_by_path").paginate(Path=at, Recursive=True, WithDecryption=True)
        found = [one for page in pages for one in page["Parameters"]]
        return {one["Name"][len(at) :]: one["Value"] for one in found}

    def versions(self) -> dict[str, int]:
        found = self.boto.get_parameters_by_path(Path=self.prefix, Recursive=True)["Parameters"]
        return {one["Name"][len(self.prefix) :]: one["Version"] for one in found}

    def labels(self, name: str) -> list[list[str]]:
        found = self.boto.get_parameter_history(Name=self.prefix + name)["Parameters"]
        return [one["Labels"] for one in found]

    def store(self, **options: Any) -> Any:
        given = {**CREDENTIALS, "region": REGION, "endpoint_url": self.proxy.url, "prefix": self.prefix, **options}
        return open_store({"type": "ssm", "path": None, "name": None, **given})

    def backup(self, **options: Any) -> Any:
        sink = self._new_sink()
        return self._copy_of(sink, self.store(**options).snapshot(sink))

    def prepare(self, copy: Any, *only: str, dry: bool = False, **options: Any) -> Any:
        return self.store(**options).prepare(copy, only, self._new_sink().scratch, dry)

    def restore(self, copy: Any, *only: str, **options: Any) -> Any:
        with self.prepare(copy, *only, **options) as ready:
            ready.apply()
        return ready

    def sent(self, operation: str) -> list[dict[str, Any]]:
        return [json.loads(body) for name, body in self.proxy.bodies if name == operation]


@pytest.fixture
def place(ssm_url: str, new_sink: Callable[[], Any], copy_of: Callable[[Any, Any], Any]) -> Iterator[Parameters]:
    with throttle_proxy.proxy(ssm_url) as proxy:
        yield Parameters(ssm_url, proxy, new_sink, copy_of)


def test_there_and_back(place: Parameters) -> None:
    place.put("a/name", "ä\n1", Description="a name", Tags=[{"Key": "team", "Value": "ops"}])
    place.put("list", "a,b", Type="StringList")
    place.label("list", "prod")
    copy = place.backup()
    assert [tuple(one) for one in copy.collections] == [("String", 1), ("StringList", 1)]
    assert place.backup().content_digest == copy.content_digest
    new = place.prefix + "new/"
    with place.prepare(copy, prefix=new) as ready:
        assert (ready.changed, ready.replaces) == (True, False)
        assert ready.differences == (("a/name", "added"), ("list", "added"))
        ready.apply()
        assert place.values(new) == {"a/name": "ä\n1", "list": "a,b"}
        assert place.backup(prefix=new).content_digest == copy.content_digest
        ready.undo()
        assert place.values(new) == {}


def test_only_what_differs_is_written(place: Parameters) -> None:
    for name in ("same", "changed", "removed", "labelled", "tagged"):
        place.put(name, "1", Tags=[{"Key": "k", "Value": "v"}])
    place.label("labelled", "prod")
    copy = place.backup()
    place.change("changed", "2")
    place.boto.delete_parameter(Name=place.prefix + "removed")
    place.change("labelled", "2")
    place.label("labelled", "prod")
    place.boto.add_tags_to_resource(
        ResourceType="Parameter", ResourceId=place.prefix + "tagged", Tags=[{"Key": "more", "Value": "x"}]
    )
    place.put("new", "kept")
    with place.prepare(copy, dry=True) as ready:
        assert ready.replaces
        assert {name for name, _what in ready.differences} == {"changed", "removed", "labelled", "tagged"}
    ready = place.restore(copy)
    assert place.values() == {
        "same": "1",
        "changed": "1",
        "removed": "1",
        "labelled": "1",
        "tagged": "1",
        "new": "kept",
    }
    assert place.versions() == {"same": 1, "changed": 3, "removed": 1, "labelled": 3, "tagged": 1, "new": 1}
    assert place.labels("labelled") == [[], [], ["prod"]]
    with place.prepare(copy) as again:
        assert not again.changed
    ready.undo()
    assert place.values()["labelled"] == place.values()["changed"] == "2"
    assert "removed" not in place.values()


def test_secrets_are_only_read_if_wanted(place: Parameters) -> None:
    place.put("secret", "hunter2", Type="SecureString", KeyId="alias/mine")
    place.put("plain", "1")
    copy = place.backup()
    assert b"hunter2" not in copy.files["parameters.jsonl"]
    assert copy.notes == ("The values of 1 secrets are not in the backup: secret.",)
    with_secrets = place.backup(with_secrets=True)
    assert b"hunter2" in with_secrets.files["parameters.jsonl"]
    assert with_secrets.notes == ()
    new = place.prefix + "new/"
    assert place.restore(copy, prefix=new).notes == (
        "secret: not restored, as the backup contains no values of secrets.",
    )
    assert place.values(new) == {"plain": "1"}
    ready = place.restore(with_secrets, prefix=new)
    assert ready.notes == ("secret: not restored, as with_secrets is not set.",)
    place.restore(with_secrets, prefix=new, with_secrets=True)
    assert place.values(new)["secret"] == "hunter2"
    assert place.sent("PutParameter")[-1]["KeyId"] == "alias/mine"


def test_globs(place: Parameters) -> None:
    for name in ("app/a", "app/b", "other"):
        place.put(name, "1")
    copy = place.backup()
    new = place.prefix + "new/"
    place.restore(copy, "app/*", prefix=new)
    assert set(place.values(new)) == {"app/a", "app/b"}
    with pytest.raises(InvalidRequest, match="only has nothing, which matches no parameter of the backup"):
        place.prepare(copy, "app/*", "nothing")
    assert [one.records for one in place.backup(include=["app/*"], exclude=["*/b"]).collections] == [1]
    with pytest.raises(InvalidRequest, match="include has x"):
        place.backup(include=["x", "other"])
    with pytest.raises(SourceError, match="there is no parameter whose name starts with /no-such"):
        place.backup(prefix="/no-such/")


def test_what_the_service_has_and_the_server_lacks_is_sent(place: Parameters) -> None:
    place.put("a", "1")
    copy = place.backup()
    line = json.loads(copy.files["parameters.jsonl"])
    line.update(allowed_pattern="[0-9]", policies=['{"Type":"NoChangeNotification"}'], tier="Advanced", key_id="")
    line["data_type"] = "aws:ec2:image"
    copy.files["parameters.jsonl"] = json.dumps(line).encode() + b"\n"
    with place.prepare(copy, prefix=place.prefix + "new/") as ready:
        ready._writer.write(ready._steps[0].wanted, None, True, ())
    sent = place.sent("PutParameter")[-1]
    assert sent["AllowedPattern"] == "[0-9]"
    assert json.loads(sent["Policies"]) == [{"Type": "NoChangeNotification"}]
    assert (sent["Tier"], sent["DataType"]) == ("Advanced", "aws:ec2:image")


def test_what_the_service_would_refuse_is_refused_before_anything_is_written(place: Parameters) -> None:
    place.put("tier", "1")
    place.put("type", "1")
    copy = place.backup()
    place.change("tier", "2", Tier="Advanced")
    place.change("type", "2", Type="StringList")
    for dry in (True, False):
        with pytest.raises(TargetError, match="tier: its tier is Advanced .*; type: its type is StringList"):
            place.prepare(copy, dry=dry)
    assert place.sent("PutParameter") == []


@pytest.mark.once
def test_a_hundred_labelled_versions(place: Parameters) -> None:
    place.put("a", "0")
    copy = place.backup()
    place.label("a", "first")
    for number in range(1, 100):
        place.change("a", str(number))
    with pytest.raises(TargetError, match="it has 100 versions, and the oldest one has a label"):
        place.prepare(copy)


def test_throttling_costs_time_and_nothing_else(place: Parameters) -> None:
    for number in range(12):
        place.put(f"p{number}", str(number))
    place.proxy.fault = lambda operation, number: "ThrottlingException" if number % 7 == 1 else throttle_proxy.NOTHING
    copy = place.backup()
    place.restore(copy, prefix=place.prefix + "new/")
    assert place.values(place.prefix + "new/") == {f"p{number}": str(number) for number in range(12)}


def test_writing_meanwhile_is_seen(place: Parameters) -> None:
    place.put("a", "1")

    def fault(operation: str, _number: int) -> str:
        if operation == "GetParameterHistory":
            place.change("a", "2")
        return throttle_proxy.NOTHING

    place.proxy.fault = fault
    copy = place.backup()
    assert copy.details == {"point_in_time": False, "moved": ["a"]}
    assert "changed while they were read: a" in copy.notes[0]


def test_a_failed_restore_is_taken_back(place: Parameters) -> None:
    for name in ("a", "b", "c"):
        place.put(name, "1")
    copy = place.backup()
    place.change("a", "2")
    place.boto.delete_parameter(Name=place.prefix + "b")
    place.change("c", "2")
    place.proxy.fault = lambda operation, number: (
        "AccessDeniedException" if (operation, number) == ("PutParameter", 3) else throttle_proxy.NOTHING
    )
    with (
        place.prepare(copy) as ready,
        pytest.raises(TargetError, match="Writing the parameter .*c: .*were undone") as told,
    ):
        ready.apply()
    assert "the action ssm:PutParameter" in told.value.hint
    assert place.values() == {"a": "2", "c": "2"}


def test_a_parameter_that_others_create_meanwhile_stays(place: Parameters) -> None:
    place.put("a", "1")
    copy = place.backup()
    place.boto.delete_parameter(Name=place.prefix + "a")

    def fault(operation: str, _number: int) -> str:
        if operation == "PutParameter":
            place.put("a", "theirs")
        return throttle_proxy.NOTHING

    place.proxy.fault = fault
    with place.prepare(copy) as ready, pytest.raises(TargetError, match="Writing the parameter .*a: "):
        ready.apply()
    assert place.values() == {"a": "theirs"}


def test_a_damaged_backup_changes_nothing(place: Parameters) -> None:
    place.put("a", "1")
    copy = place.backup()
    copy.damage("parameters.jsonl")
    with pytest.raises(DamagedBackup):
        place.prepare(copy, prefix=place.prefix + "new/")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"jobs": 0}, "jobs is 0"),
        ({"path": "/x"}, "path is not an option"),
        ({"access_key_id": None}, "must be set together"),
        ({"endpoint_url": "http://127.0.0.1:1"}, "Listing the parameters"),
    ],
)
def test_bad_input(place: Parameters, options: dict[str, Any], said: str) -> None:
    with pytest.raises(Day2Error, match=said):
        place.backup(**options)
