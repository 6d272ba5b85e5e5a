# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A target that refuses values that are odd in their column, even if its columns would accept them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ..._stores.records.model import Account, Info, Record, Refused, Reject, key_of
from ..._stores.records.store import TargetStore
from .columns import Decision, Fits
from .target_schema import Found

# By collection and field, what raises Refused for a value that must not go there.
Strictness = Mapping[str, Mapping[str, Fits]]


class _StrictTarget:
    """Refuses values when records are written. Everything else is left to the target."""

    def __init__(self, inner: TargetStore, fits: Strictness) -> None:
        self._inner, self._fits = inner, fits

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def refuses(self, info: Info, record: Mapping[str, Any]) -> str:
        return self._odd(info, record) or self._inner.refuses(info, record)

    def write(self, info: Info, records: Sequence[Record], account: Account, upsert: bool) -> None:
        if not self._fits.get(info.name):
            self._inner.write(info, records, account, upsert)
            return
        taken: list[Record] = []
        odd: list[Reject] = []
        for record in records:
            reason = self._odd(info, record)
            if reason:
                odd.append(Reject(info.name, key_of(info, record), reason, record))
            else:
                taken.append(record)
        self._inner.write(info, taken, lambda rejects: account([*odd, *rejects]), upsert)

    def _odd(self, info: Info, record: Mapping[str, Any]) -> str:
        for name, fits in self._fits.get(info.name, {}).items():
            value = record.get(name)
            try:
                if value is not None:
                    fits(name, value)
            except Refused as exc:
                words = str(exc)
                return words if words.startswith("the field") else f"the field {name} {words}"
        return ""


def strict(target: TargetStore, decisions: Mapping[tuple[str, str], Decision], found: Sequence[Found]) -> TargetStore:
    """The target, or a view of it that refuses values that do not fit.

    :param decisions: of columns of all tables; those of new tables are in `found` as well.
    """
    every = {**decisions, **{(one.info.name, name): own for one in found for name, own in one.decisions.items()}}
    fits: dict[str, dict[str, Fits]] = {}
    for (table, name), decision in every.items():
        if decision.fits is not None:
            fits.setdefault(table, {})[name] = decision.fits
    return cast(TargetStore, _StrictTarget(target, fits)) if fits else target
