# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page: nothing that comes from outside is markup, and it is small."""

from __future__ import annotations

import html.parser
import json
import re
import time
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.plugin_utils.fleet.judge import judge
from ansible_collections.day2.ops.plugins.plugin_utils.fleet.page import INDEX, pages
from ansible_collections.day2.ops.plugins.plugin_utils.fleet.schema import checked
from ansible_collections.day2.ops.plugins.plugin_utils.fleet.tables import metrics, table
from tests.unit.plugin_utils.fleet_sample import a_fleet, a_host, ago, backup_set, large_fleet

pytestmark = pytest.mark.once
MARKUP = "</style></title>'\"><script>alert(1)</script>{{ 7 * 7 }}"


def judged(facts: dict[str, Any]) -> dict[str, Any]:
    return judge(checked(facts))


def everything() -> dict[str, Any]:
    """A fleet with each kind of text and each state."""
    health = {"score": 82, "checked_at": ago(95), "checks": 9}
    health["problems"] = [{"name": "references", "status": "critical", "message": "3 machines"}]
    failure = {"at": ago(60), "runs": 5, "error": "timed out", "job": "shop"}
    damaged = {"at": ago(60), "backups": 3, "damaged": [{"backup": "x", "problem": "a: cut"}]}
    drill = {**backup_set()["last_drill"], "result": "fail", "reason": "3 records differ"}
    copies = [{**backup_set()["copies"][0], "ok": False, "problem": "too old"}]
    late = backup_set("late", 10**6, last_failure=failure, verification=damaged, last_drill=drill, copies=copies)
    hosts = [
        a_host("a1", [late, backup_set("never", last_drill=None, size=None)], health=health),
        a_host("a2", [backup_set("b", problem="Permission denied", newest_good=None)]),
        a_host("a3", [backup_set("c")], last_report_at=None, problem="Connection refused"),
    ]
    evidence = {"entries": 3, "verified": True, "head": "ab" * 32, "anchored_at": ago(60), "anchor": "s3://b/day2"}
    return a_fleet(hosts, evidence=evidence)


def marked(value: Any) -> Any:
    """The facts with each text that is not a time, state or other fixed word replaced by markup."""
    if isinstance(value, dict):
        fixed = {"result", "status", "runs", "format"}
        return {key: one if key in fixed else marked(one) for key, one in value.items()}
    if isinstance(value, list):
        return [marked(one) for one in value]
    if not isinstance(value, str) or re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", value):
        return value
    return f"{value}{MARKUP}"


class Tags(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)
        assert not [name for name, _value in attrs if name.startswith("on")]


@pytest.mark.parametrize(
    "facts", [everything(), a_fleet([]), large_fleet(30, 40)], ids=["everything", "empty", "large"]
)
def test_markup_stays_text_with_and_without_autoescape(facts: dict[str, Any]) -> None:
    plain, fleet = Tags(pages(judged(facts))[INDEX]).seen, judged(marked(facts))
    page = pages(fleet)[INDEX]
    assert page == pages(fleet, autoescape=False)[INDEX]
    assert "<script" not in page
    assert "{{ 7 * 7 }}" in page
    assert Tags(page).seen.count("script") == 0
    assert len(Tags(page).seen) == pytest.approx(len(plain), rel=0.2)  # groups are other ones


def test_nothing_is_loaded_and_nothing_runs() -> None:
    page = pages(judged(everything()))[INDEX]
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page
    assert not re.search(r"(src|href)=\"?(https?:|//)", page)
    assert 'href="data:,"' in page


def test_the_page_answers_in_order() -> None:
    """How old it is, how bad it is, what to do first, whether tonight is unusual, each set, and what nobody knows."""
    page = pages(judged(large_fleet(30, 40)))[INDEX]
    sections = ["attention", "h-days", *(f"{state}-sets" for state in ("failing", "unknown", "meeting"))]
    sections += ["silent", "never", "disks", "events", "how"]
    marks = ["out of date.", "<h1>", *(f' id="{one}"' for one in sections)]
    assert sorted(marks, key=page.index) == marks
    card = re.findall("<dt>([^<]+)", page.partition("<article")[2].partition("</article>")[0])
    told = "Newest good backup, Last drill, Copies, Size of all backups, Read back, and health, 90 days to today"
    assert ", ".join(card) == told


def test_what_is_required_is_enough_for_a_page() -> None:
    host = {"name": "a", "groups": [], "last_report_at": None, "report_every_s": 60, "sets": []}
    host["sets"] = [{"name": "s", "store": "", "newest_good": None}]
    about = {key: one for key, one in a_fleet([host]).items() if key not in {"next_due_at", "sources", "events"}}
    assert "The one backup set is unknown; 1 host is silent." in pages(judged(about))[INDEX]


def test_every_link_on_the_page_leads_somewhere() -> None:
    page = pages(judged(large_fleet(60, 80)))[INDEX]
    names = set(re.findall(r' id="([^"]+)"', page))
    links = set(re.findall(r'(?<!use )href="#([^"]+)"', page))
    assert links - names == set()


def test_a_large_fleet_is_small_and_quick() -> None:
    facts = large_fleet(500, 700)
    began = time.process_time()
    page = pages(judged(facts))[INDEX]
    spent = time.process_time() - began
    assert len(page.encode()) < 2_000_000
    assert spent < 60  # 1.4 s on two quiet cores; this only finds what grows with the square


def test_more_than_750_sets_are_on_a_page_a_group() -> None:
    files = pages(judged(large_fleet(500, 751)))
    assert sorted(files) == [*(f"group-{number}.html" for number in range(1, 6)), INDEX]
    index = files[INDEX]
    assert len(index.encode()) < 200_000
    for file, place in set(re.findall(r'href="([^"#]*\.html)(?:#([^"]+))?"', index)):
        assert file in files
        assert not place or f' id="{place}"' in files[file], place
    assert sum(files[name].count("<article") for name in files) == 751


def test_the_tables_say_what_the_page_says() -> None:
    fleet = judged(everything())
    lines = table(fleet).decode().splitlines()
    states = [one["judged"]["state"] for host in fleet["hosts"] for one in host["sets"]]
    assert [line.split(",")[4] for line in lines[1:]] == states == ["failing", "unknown", "unknown", "unknown"]
    text = metrics(fleet).decode()
    assert 'day2_fleet_status{fleet="production"} 2' in text
    assert 'day2_fleet_sets{fleet="production",state="failing"} 1' in text
    assert 'day2_fleet_set_status{fleet="production",host="a1",set="late"} 2' in text
    assert 'day2_fleet_set_age_seconds{fleet="production",host="a2"' not in text  # not known, so not 0
    json.dumps(fleet)


def test_no_cell_is_a_formula() -> None:
    fleet = judged(a_fleet([a_host("=cmd()", [backup_set("@SUM(1)"), backup_set('a,"b')])]))
    assert table(fleet).decode().splitlines()[1].startswith("'=cmd(),'@SUM(1),")
    assert '"a,""b"' in table(fleet).decode()


def test_one_of_something_is_singular() -> None:
    sets = [backup_set(f"s{number}", runs="o" * 88 + "fo") for number in range(13)]
    evidence = {"entries": 1, "verified": True, "head": "ab" * 32, "anchored_at": None, "anchor": None}
    page = pages(judged(a_fleet([a_host("a1", sets)], evidence=evidence)))[INDEX]
    for words in ("worst day: 1 day ago, 13 of 13 sets", "0 silent of 1 host<", "a chain of 1 entry,"):
        assert words in page
