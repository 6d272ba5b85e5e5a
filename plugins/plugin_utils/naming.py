# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of resources: made, checked and taken apart by patterns, prefixes and generators that users can replace."""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.patterns import (
    HINT,
    NotAPattern,
    TooLong,
    compile_pattern,
    time_limit,
)

LONGEST = 255  # bytes of a name
_SECONDS = 1.0  # that a name may be compared with a pattern

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "patterns": {
        "template_id": "^template-[a-zA-Z0-9_-]+$",
        "request_id": f"^(req|ret)-{_UUID}$",
        "machine_id": "^machine-[a-zA-Z0-9_-]+$",
        "ec2_instance": "^i-([0-9a-f]{8}|[0-9a-f]{17})$",
    },
    "prefixes": {"request": "req-", "return_request": "ret-", "machine": "machine-", "template": "template-"},
    "generators": {
        "request_id": "uuid4_with_prefix",
        "return_request_id": "uuid4_with_prefix",
        "machine_id": "sequential_with_prefix",
        "template_id": "name_with_prefix",
    },
}
_GENERATORS = ("uuid4_with_prefix", "sequential_with_prefix", "name_with_prefix")


class Naming:
    """How the resources of an application are called.

    :param own: what differs from the defaults, entry by entry: `patterns` and `generators` by kind, with or without
        "_id" at the end, `prefixes` by kind.
    :raises InvalidRequest: there is an entry that is none of these.
    """

    def __init__(self, own: Optional[Mapping[str, Any]] = None) -> None:
        own = {} if own is None else own
        parts = {name: {**known, **_entries(name, own)} for name, known in _DEFAULTS.items()}
        if set(own) - set(parts):
            raise InvalidRequest(f"naming has unknown entries: {_listed(set(own) - set(parts))}.", _PARTS_HINT)
        self._patterns = {_kind(name): pattern for name, pattern in parts["patterns"].items()}
        self._generators = {_kind(name): generator for name, generator in parts["generators"].items()}
        self._prefixes = parts["prefixes"]

    def is_valid(self, name: object, kind: str) -> bool:
        """Is this the name of a resource of this kind? What is not text is not.

        A kind without a pattern has names that consist of its prefix and something else.

        :raises InvalidRequest: there is no such kind, its pattern is not a regular expression, or takes too long.
        """
        prefix = self._prefixes.get(kind, "")
        if not prefix and kind not in self._patterns:
            raise InvalidRequest(f"{kind!r} is not a kind of resource.", f"Known kinds: {_listed(self._kinds())}.")
        if not isinstance(name, str) or len(name.encode("utf-8", "surrogatepass")) > LONGEST:
            return False
        if not name.startswith(prefix) or name == prefix:
            return False
        return kind not in self._patterns or _fits(self._patterns[kind], name)

    def make(self, kind: str, name: str, prefix: str, existing: Iterable[str], unique: Optional[str]) -> str:
        """A name for a resource of this kind, by the generator of the kind.

        :param name: what a name is made of; a sequential name may have it before its number.
        :param prefix: is put before the prefix of the kind. The result is then not compared with the pattern.
        :param existing: the names that there are: a sequential name has the next number.
        :param unique: makes a UUID that is always the same for the same text.
        :raises InvalidRequest: there is no such kind or generator, or no valid name can be made.
        """
        if kind not in self._prefixes:
            raise InvalidRequest(f"There is no prefix for {kind!r}.", f"Prefixes exist for {_listed(self._prefixes)}.")
        made = self._prefixes[kind] + self._identifier(kind, name, existing, unique)
        if prefix:
            made = f"{_slug(prefix, 'prefix')}-{made}"
            if len(made.encode()) > LONGEST:
                raise InvalidRequest(f"The name would have {len(made.encode())} bytes; at most {LONGEST} are possible.")
        elif not self.is_valid(made, kind):
            raise InvalidRequest(f"{made!r} does not fit the pattern of {kind}, or is longer than {LONGEST} bytes.")
        return made

    def _identifier(self, kind: str, name: str, existing: Iterable[str], unique: Optional[str]) -> str:
        generator = self._generators.get(kind, "name_with_prefix" if name else "uuid4_with_prefix")
        if generator == "uuid4_with_prefix":
            return str(uuid.uuid4() if unique is None else uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}/{unique}"))
        if generator == "name_with_prefix":
            return _slug(name, "name")
        if generator == "sequential_with_prefix":
            stem = f"{_slug(name, 'name')}-" if name else ""
            number = re.compile(re.escape(self._prefixes[kind] + stem) + "([0-9]{1,18})")
            numbers = [int(match[1]) for match in map(number.fullmatch, _names(existing)) if match]
            return f"{stem}{max(numbers, default=0) + 1:04d}"
        raise InvalidRequest(f"There is no generator {generator!r}.", f"Generators: {_listed(_GENERATORS)}.")

    def parse(self, name: str) -> dict[str, str]:
        """The kind of a name (`type`), and what follows its prefix (`id`); the longest prefix that fits decides.

        :raises InvalidRequest: it is not the name of any kind.
        """
        for kind in sorted(self._kinds(), key=lambda one: (-len(self._prefixes.get(one, "")), one)):
            if self.is_valid(name, kind):
                return {"type": kind, "id": name[len(self._prefixes.get(kind, "")) :]}
        raise InvalidRequest(f"{name!r} is not the name of any kind of resource ({_listed(self._kinds())}).")

    def _kinds(self) -> set[str]:
        return {*self._prefixes, *self._patterns}


_PARTS_HINT = "It has patterns, prefixes and generators, each of them a dictionary by kind."


def _entries(part: str, own: Mapping[str, Any]) -> Mapping[str, str]:
    if not isinstance(own, Mapping):
        raise InvalidRequest("naming is not a dictionary.", _PARTS_HINT)
    entries = own.get(part) or {}
    if not isinstance(entries, Mapping) or not all(isinstance(one, str) for pair in entries.items() for one in pair):
        raise InvalidRequest(f"{part} in naming is not a dictionary of strings.", _PARTS_HINT)
    return entries


def _names(existing: object) -> Iterable[str]:
    if isinstance(existing, (str, bytes)) or not isinstance(existing, Iterable):  # one name would be taken for letters
        raise InvalidRequest("existing is not a list of names.")
    return [one for one in existing if isinstance(one, str)]


def _kind(name: str) -> str:
    return name[:-3] if name.endswith("_id") else name


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _slug(text: object, what: str) -> str:
    plain = "".join(one for one in unicodedata.normalize("NFKD", str(text)) if not unicodedata.combining(one))
    slug = re.sub(r"[^a-zA-Z0-9_]+", "-", plain).strip("-")
    if not slug:
        raise InvalidRequest(f"{what} has no letter or digit that a name can be made of: {str(text)!r}.")
    return slug


def _fits(pattern: str, name: str) -> bool:
    try:
        compiled = compile_pattern(pattern)
    except NotAPattern as exc:
        raise InvalidRequest(f"{pattern!r} in naming is not a regular expression: {exc}.") from None
    try:
        with time_limit(_SECONDS):
            # "$" also matches before a newline at the end
            return compiled.fullmatch(name) is not None
    except TooLong:
        raise InvalidRequest(f"The pattern {pattern!r} in naming takes too long.", HINT) from None
