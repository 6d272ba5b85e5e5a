# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The validators of JSON schemas: our own part of the standard, or the package jsonschema with all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from ..._core.errors import InvalidRequest, MissingDependency
from ..._core.json_schema import Fault, Schema

BUILTIN, JSONSCHEMA = "builtin", "jsonschema"
VALIDATORS = (BUILTIN, JSONSCHEMA)


class Validator(Protocol):
    """A schema that values are compared with."""

    def faults(self, value: Any) -> Iterator[Fault]:
        """Everything that is wrong with a value of JSON."""


def open_validator(kind: str, schema: Any) -> Validator:
    """:raises InvalidRequest: it is not a schema.
    :raises MissingDependency: the package jsonschema is not installed.
    """
    return Schema(schema) if kind == BUILTIN else _Package(schema)


class _Package:
    """The package jsonschema, which also checks formats."""

    def __init__(self, schema: Any) -> None:
        try:
            import jsonschema  # type: ignore[import-untyped]
        except ImportError as exc:
            raise MissingDependency(
                "jsonschema", "for validator: jsonschema", "Install it, or set validator=builtin."
            ) from exc
        _check_references(schema)
        kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        try:
            kind.check_schema(schema)
        except jsonschema.SchemaError as exc:
            raise InvalidRequest(f"schema: {'/'.join(map(str, exc.absolute_path)) or 'it'}: {exc.message}.") from None
        self._validator = kind(schema, format_checker=jsonschema.FormatChecker())

    def faults(self, value: Any) -> Iterator[Fault]:
        for error in self._validator.iter_errors(value):
            yield Fault("".join(f"/{part}" for part in error.absolute_path), str(error.validator), error.message)


def _check_references(schema: Any) -> None:
    """Refuse references to other documents, which the package would fetch from where they say."""
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            raise InvalidRequest(f"schema: {reference} is not within the schema.", "Include it, under $defs.")
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _check_references(inner)
