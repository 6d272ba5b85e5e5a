# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For dev/soak.py: mutants that would say nothing of the tests, and are not made.

Left out is only what no test could or should tell from the code as it is:

- annotations, what only type checkers import, and the bodies of protocols: nobody runs them;
- the decorators of functools that remember results: without them the same comes out, later;
- numbers that say how long to wait, to how many digits a time is rounded (timings are never asserted) or how long a
  random name is, and those of at least a hundred (of at least ten in a module's constant) that become larger or smaller
  by one: another limit, as good as this one;
- argument specs: sanity tests compare them with the documentation, and these are no unit tests;
- what a message of an error counts or chooses between: a test looks for its words (the condition that raises it is
  changed like any other);
- `+` and `^` in place of the `|` of flags, which have no bit in common;
- `is` in place of `==` and the other way round: for None, short texts and small numbers CPython has one object each.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Optional, TypeGuard

from cosmic_ray.work_item import MutationSpec

Position = tuple[int, int]
Span = tuple[Position, Position]

_REMEMBERING = ("cache", "lru_cache", "cached_property")
_WAITING = ("sleep", "wait", "poll", "join", "acquire", "settimeout")
_ROUNDING = ("round",)
_RANDOM = ("token_hex", "token_bytes")
_SAME = ("Eq_Is", "NotEq_IsNot", "Is_Eq", "IsNot_NotEq")
_SAME_FOR_FLAGS = ("BitOr_Add", "BitOr_BitXor")
_LARGE = 100
_LARGE_CONSTANT = 10


class Silent:
    """Where changes of a module say nothing."""

    def __init__(self, source: str) -> None:
        tree = ast.parse(source)
        self._spans = [span for node in ast.walk(tree) for span in unread(node)] + list(specs(tree))
        self._flags = [span_of(node) for node in ast.walk(tree) if is_of_flags(node)]
        self._numbers = [span for node in ast.walk(tree) for span in timings(node)] + list(limits(tree))

    def holds(self, spec: MutationSpec) -> bool:
        start = tuple(spec.start_pos)
        operator = spec.operator_name.rpartition("/")[2]
        return (
            operator.endswith(_SAME)
            or any(begin <= start < end for begin, end in self._spans)
            or (operator.endswith(_SAME_FOR_FLAGS) and any(begin <= start < end for begin, end in self._flags))
            or (operator == "NumberReplacer" and any(begin <= start < end for begin, end in self._numbers))
        )


def unread(node: ast.AST) -> Iterator[Span]:
    """Code that nobody runs, that only saves time, or that only makes up a text."""
    for one in (getattr(node, "annotation", None), getattr(node, "returns", None)):
        if isinstance(one, ast.expr):
            yield span_of(one)
    if isinstance(node, ast.If) and name_of(node.test) == "TYPE_CHECKING":
        yield span_of(node)
    if isinstance(node, ast.ClassDef) and "Protocol" in map(name_of, node.bases):
        yield span_of(node)
    for one in getattr(node, "decorator_list", ()):
        if name_of(one) in _REMEMBERING:
            (line, column), end = span_of(one)
            yield (line, column - 1), end  # with its @
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        yield from (span_of(one) for one in ast.walk(node.exc) if isinstance(one, ast.JoinedStr))


def specs(tree: ast.Module) -> Iterator[Span]:
    """The parts of argument specs: {"type": "str", …}."""
    for statement in tree.body:
        for node in ast.walk(statement) if isinstance(statement, (ast.Assign, ast.AnnAssign)) else ():
            if isinstance(node, ast.Dict) and any(isinstance(k, ast.Constant) and k.value == "type" for k in node.keys):
                yield span_of(node)


def timings(node: ast.AST) -> Iterator[Span]:
    """Numbers that say how long, or how exactly."""
    if isinstance(node, ast.Call) and name_of(node.func) in (*_WAITING, *_ROUNDING, *_RANDOM):
        yield from map(span_of, node.args[name_of(node.func) in _ROUNDING :])
    if isinstance(node, ast.keyword) and node.arg == "timeout":
        yield span_of(node.value)


def is_of_flags(node: ast.AST) -> TypeGuard[ast.BinOp]:
    """os.O_RDWR | os.O_CREAT"""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and name_of(node.right).isupper()


def limits(tree: ast.Module) -> Iterator[Span]:
    """Large decimal numbers."""
    constants = {
        number
        for statement in tree.body
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None
        for number in numbers_in(statement.value)
    }
    for node in ast.walk(tree):
        number = node.value if isinstance(node, ast.Constant) and type(node.value) in (int, float) else 0
        if number >= (_LARGE_CONSTANT if node in constants else _LARGE):
            yield span_of(node)


def numbers_in(value: ast.expr) -> Iterator[ast.Constant]:
    """The numbers of an expression that consists of nothing else."""
    parts = list(ast.walk(value))
    if all(isinstance(one, (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)) for one in parts):
        yield from (one for one in parts if isinstance(one, ast.Constant))


def name_of(node: Optional[ast.expr]) -> str:
    if isinstance(node, ast.Call):
        return name_of(node.func)
    return getattr(node, "attr", "") or getattr(node, "id", "")


def span_of(node: ast.expr | ast.stmt) -> Span:
    return (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)
