# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a message says, and how it is put into the body of a webhook."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

FAILURE, RECOVERY, SILENCE, TEST = "failure", "recovery", "silence", "test"
_TITLES = {FAILURE: "{job} failed", RECOVERY: "{job} succeeded again", SILENCE: "{job} is late", TEST: "test of {job}"}
_PLACEHOLDER = re.compile(r"\{([a-z_][A-Za-z0-9_]*)\}")


class Message(NamedTuple):
    """What happened to a job. Times are ISO 8601, "" if unknown; `next_step` is a command,
    "" if there is none."""

    event: str
    host: str
    job: str
    verb: str
    status: str
    msg: str
    failures: int
    warnings: str
    began: str
    ended: str
    last_success: str
    next_step: str

    @property
    def title(self) -> str:
        """One line."""
        return f"{self.host}: {_TITLES[self.event].format(job=self.job)}"

    @property
    def text(self) -> str:
        """All that a person needs."""
        lines = [
            f"{self.title}.",
            "",
            *([self.msg, ""] if self.msg else []),
            f"Job:          {self.job} ({self.verb})",
            f"Status:       {self.status}",
            *([f"Failures:     {self.failures} in a row"] if self.failures > 1 else []),
            *([f"Began:        {self.began}"] if self.began else []),
            *([f"Ended:        {self.ended}"] if self.ended else []),
            f"Last success: {self.last_success or 'unknown'}",
            *([f"Warnings:\n{self.warnings}"] if self.warnings else []),
            *(["", f"On {self.host}: {self.next_step}"] if self.next_step else []),
        ]
        return "\n".join(lines) + "\n"

    def fields(self) -> dict[str, str]:
        """The placeholders of templates."""
        return {**{name: str(one) for name, one in self._asdict().items()}, "title": self.title, "text": self.text}


FIELDS = (*Message._fields, "title", "text")


def filled(template: Any, values: Mapping[str, str]) -> Any:
    """A template of JSON types in whose strings placeholders such as {job} are replaced. Other braces stay."""
    if isinstance(template, str):
        return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)
    if isinstance(template, Mapping):
        return {key: filled(one, values) for key, one in template.items()}
    if isinstance(template, (list, tuple)):
        return [filled(one, values) for one in template]
    return template


def placeholders(template: Any) -> Iterator[str]:
    """The names of all placeholders in a template."""
    if isinstance(template, str):
        yield from _PLACEHOLDER.findall(template)
    elif isinstance(template, Mapping):
        for one in template.values():
            yield from placeholders(one)
    elif isinstance(template, (list, tuple)):
        for one in template:
            yield from placeholders(one)
