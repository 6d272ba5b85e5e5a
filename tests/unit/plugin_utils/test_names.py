# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of resources and files: the rules that hold for all of them, and the examples of the documentation."""

from __future__ import annotations

import re
import signal
import time
from typing import Any, Optional

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.plugin_utils.file_names import safe_filename
from ansible_collections.day2.ops.plugins.plugin_utils.naming import Naming

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
RETURN_REQUEST = "ret-12345678-1234-1234-1234-123456789012"


def make(kind: str, name: str = "", prefix: str = "", unique: Optional[str] = None, **more: Any) -> str:
    return Naming(more.pop("naming", None)).make(kind, name, prefix, more.pop("existing", ()), unique)


def test_names_are_made_by_the_generator_of_their_kind() -> None:
    assert make("template", "web-server") == "template-web-server"
    assert make("template", "Büro 3 (neu)") == "template-Buro-3-neu"
    assert make("machine") == "machine-0001"
    assert (
        make("machine", existing=["machine-0007", None, 9, "machine-x", "other-9", "machine-web-0042"])
        == "machine-0008"
    )
    assert make("machine", "web", existing=["machine-0007", "machine-web-0042"]) == "machine-web-0043"
    assert re.fullmatch(f"req-{UUID}", make("request"))
    assert re.fullmatch(f"ret-{UUID}", make("return_request"))
    assert re.fullmatch(f"prod-req-{UUID}", make("request", prefix="prod"))


def test_a_uuid_of_a_text_is_always_the_same() -> None:
    assert make("request") != make("request")
    assert make("request", unique="a/web") == make("request", unique="a/web") != make("request", unique="b/web")
    assert make("request", unique="a")[4:] != make("return_request", unique="a")[4:]


@pytest.mark.parametrize(
    ("name", "kind", "valid"),
    [
        ("template-web-server", "template", True),
        ("template-web\n", "template", False),
        ("template-", "template", False),
        (f"template-{'x' * 246}", "template", True),
        (f"template-{'x' * 247}", "template", False),
        ("i-1234567890abcdef0", "ec2_instance", True),
        (RETURN_REQUEST, "return_request", True),
        (RETURN_REQUEST, "request", False),
        (None, "template", False),
        (7, "template", False),
    ],
)
def test_a_name_fits_its_kind_as_a_whole(name: object, kind: str, valid: bool) -> None:
    assert Naming().is_valid(name, kind) is valid


def test_a_name_is_taken_apart_by_the_longest_prefix_that_fits() -> None:
    assert Naming().parse(f"req-{RETURN_REQUEST[4:]}") == {"type": "request", "id": RETURN_REQUEST[4:]}
    assert Naming().parse(RETURN_REQUEST) == {"type": "return_request", "id": RETURN_REQUEST[4:]}
    assert Naming().parse("i-12345678") == {"type": "ec2_instance", "id": "i-12345678"}
    own = Naming({"prefixes": {"disk": "machine-disk-"}})
    assert own.parse("machine-disk-1") == {"type": "disk", "id": "1"}
    assert own.parse("machine-disk-") == {"type": "machine", "id": "disk-"}
    with pytest.raises(InvalidRequest, match="'bucket-1' is not the name of any kind"):
        own.parse("bucket-1")


def test_own_entries_replace_single_defaults() -> None:
    own = {"patterns": {"template_id": "^tpl-[a-z]+$"}, "prefixes": {"template": "tpl-"}}
    assert make("template", "web", naming=own) == "tpl-web"
    assert Naming(own).is_valid("machine-1", "machine")
    assert make("disk", "a b", naming={"prefixes": {"disk": "disk/"}}) == "disk/a-b"
    with pytest.raises(InvalidRequest, match="'tpl-WEB' does not fit the pattern of template"):
        make("template", "WEB", naming=own)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "bucket"}, "There is no prefix for 'bucket'. Prefixes exist for machine, request, return_request"),
        ({"kind": "template"}, "name has no letter or digit"),
        ({"kind": "machine", "existing": "machine-0007"}, "existing is not a list of names"),
        ({"kind": "machine", "existing": None}, "existing is not a list of names"),
        ({"kind": "template", "name": "漢字"}, "name has no letter or digit"),
        ({"kind": "template", "name": "x" * 300}, "longer than 255 bytes"),
        ({"kind": "request", "prefix": "x" * 300}, "would have 341 bytes"),
        ({"kind": "request", "naming": {"generators": {"request": "counter"}}}, "no generator 'counter'. Generators: "),
        ({"kind": "request", "naming": {"pattern": {}}}, "naming has unknown entries: pattern. It has patterns, "),
        ({"kind": "request", "naming": {"patterns": ["x"]}}, "patterns in naming is not a dictionary of strings"),
        ({"kind": "request", "naming": ["patterns"]}, "naming is not a dictionary"),
        ({"kind": "request", "naming": {"patterns": {"request": "("}}}, r"'\(' in naming is not a regular expression"),
    ],
)
def test_what_no_name_can_be_made_of_is_said(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        make(**arguments)


def test_a_pattern_that_takes_for_ever_is_ended_and_the_timer_of_the_task_goes_on() -> None:
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _frame: rung.append(number))
    signal.setitimer(signal.ITIMER_REAL, 60)
    try:
        began = time.monotonic()
        with pytest.raises(InvalidRequest, match="takes too long. Write it without nested repetitions"):
            Naming({"patterns": {"x": "(a|aa)+"}}).is_valid("a" * 200 + "!", "x")
        assert time.monotonic() - began < 30
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 60
        assert rung == []
        signal.raise_signal(signal.SIGALRM)
        assert rung == [signal.SIGALRM]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@given(st.text(max_size=300))
def test_what_is_made_is_valid_and_is_made_again_of_its_parts(text: str) -> None:
    try:
        name = make("template", text)
    except InvalidRequest:
        return
    assert Naming().is_valid(name, "template")
    parsed = Naming().parse(name)
    assert parsed["type"] == "template"
    assert make("template", parsed["id"]) == name


TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("./\\ -:_con\u0301\ud800\n")), max_size=300)


@given(TEXTS, st.sampled_from("_xA0"), st.sampled_from([1, 2, 3, 4, 20, 255]))
@example("conx", "_", 3)
@example("..", "_", 255)
@example("¡.0", "_", 3)
@example("🎉", "_", 1)
@example("a" * 300 + ".tar", "_", 255)
@example("/\u0301", "a", 255)
def test_a_safe_name_is_safe_and_stays_as_it_is(text: str, replacement: str, longest: int) -> None:
    name = safe_filename(text, replacement, longest)
    assert 1 <= len(name.encode()) <= longest
    assert name[0] not in ".-"
    assert not name.endswith(".")
    assert not set(name) & set('/\\:*?"<>| \0\n')
    assert name.split(".")[0].lower() not in ("con", "nul", "com1")
    assert safe_filename(name, replacement, longest) == name


def test_a_safe_name_keeps_what_it_can() -> None:
    assert safe_filename("Q3: sales/returns.csv", "_", 255) == "Q3__sales_returns.csv"
    assert safe_filename("../../etc/passwd", "_", 255) == "_.._etc_passwd"
    assert safe_filename("-rf", "_", 255) == "rf"
    assert safe_filename("CON.txt", "_", 255) == "_CON.txt"
    assert safe_filename("é" * 200 + ".csv", "_", 255) == "é" * 125 + ".csv"
    assert safe_filename("", "_", 255) == "_"
    for replacement, longest in (("/", 255), ("", 255), ("__", 255), ("_", 0), ("_", 256)):
        with pytest.raises(InvalidRequest):
            safe_filename("x", replacement, longest)
