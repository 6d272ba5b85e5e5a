# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which searches may take long, and what is no regular expression at all."""

from __future__ import annotations

import fnmatch

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.patterns import (
    NotAPattern,
    compile_pattern,
    may_take_long,
)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("ready", False),
        ("(?P<operation>GET|PUT)", False),
        (r"(?i)^x[0-9]\.$", False),
        ("(a+)+", True),
        ("(a|a)*", True),
        ("(a|a){30}", True),
        ("a?a?a", True),
        (r"\(?x", True),
        ("(?:a?)", True),
    ],
)
def test_what_has_no_repetition_takes_no_longer_than_the_text(pattern: str, expected: bool) -> None:
    assert may_take_long(compile_pattern(pattern)) is expected
    assert may_take_long(compile_pattern(pattern.encode())) is expected


@pytest.mark.parametrize("text", ["(", "a**", "(" * 5000 + ")" * 5000, "a{99999999999}", "(?P<1>a)", "[z-a]"])
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(NotAPattern):
        compile_pattern(text)


def test_globs_do_not_backtrack() -> None:
    # What log_rotate, retention and the stores do with globs: no search is ever a long one.
    assert not fnmatch.fnmatchcase("a" * 255, "*a" * 60 + "b")
