# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual. Each of its blocks is run, or read.

- Tutorials and guides are typed by the target `manual`, or by the scenario `manual` of molecule if they need hosts.
- Blocks of other pages are run by unit tests and tests/awx (`script` and `block` of tests/services/manual.py).
- All YAML is read: options of tasks, variables of roles and parts of them are those that exist (`Reader`).
- All other command lines are read, too (`test_commands_are_right`), and CONTRIBUTING.md says why they are not run.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from ansible.cli.adhoc import AdHocCLI
from ansible.cli.playbook import PlaybookCLI
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.splitter import parse_kv
from ansible.plugins.doc_fragments import files

from ansible_collections.day2.ops.plugins.module_utils._core.conditions import Where
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._host import program
from ansible_collections.day2.ops.plugins.module_utils._notify.channel import checked_channel
from ansible_collections.day2.ops.plugins.module_utils._verbs.health.specification import read_checks
from ansible_collections.day2.ops.plugins.module_utils._verbs.records.machine import machine_from
from ansible_collections.day2.ops.plugins.plugin_utils.notification import channels_of
from ansible_collections.day2.ops.plugins.plugin_utils.schedule import scheduled_job
from tests.unit.test_documented_tasks import is_template, problem_of, without_templates

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md", *ROOT.glob("roles/*/README.md")])
PLAYBOOKS = {path.stem: path.read_text(encoding="utf-8") for path in ROOT.glob("playbooks/*.yml")}
# Languages of what nobody types: the layout of a directory, an answer, a message.
OUTPUT = ("", "json", "text")
# Command lines that no test runs, by their beginnings.
SECTION = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("\n## Commands that no test runs\n")[2]
ELSEWHERE = {
    beginning
    for cell in re.findall(r"^\| (`[^|]+) \|", SECTION.partition("\n## ")[0], re.MULTILINE)
    for beginning in re.findall("`([^`]+)`", cell)
}
SCENARIO = ROOT / "extensions" / "molecule" / "manual"
CONVERGE = (SCENARIO / "converge.yml").read_text(encoding="utf-8")
# What needs a registry with images, or is one of the first lines of the README.
WORKFLOW = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
PROGRAMS = """
. age age-keygen ansible ansible-galaxy ansible-playbook cat cd cp createdb day2 django-admin do docker dropdb echo
export for gzip journalctl jq kubectl make mkdir openssl pg_restore pip podman psql python python3 rclone restic rm sed
set sha256sum sqlite3 sudo systemctl tar tee tr umask zstd
"""
MESSAGES = re.findall(
    r"^\| `([^`]+)` \|", (ROOT / "docs" / "TROUBLESHOOTING.md").read_text(encoding="utf-8"), re.MULTILINE
)


# Pages elsewhere. No test can reach them: who adds a host has looked at the page.
LINK = re.compile(r"\]\(([a-z]+:[^)]*)\)|<(https?:[^>]*)>")
HOSTS = {"age-encryption.org", "docs.ansible.com", "pgbackrest.org", "restic.net", "semver.org"}


@pytest.fixture(scope="module")
def source() -> str:
    """All code, in which a text that goes on in the next line is in one piece."""
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "plugins").rglob("*.py"))
    return re.sub(r'"\s*\n\s*f?"', "", text)


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_of_the_manual_is_one_of_the_code(message: str, source: str) -> None:
    for part in message.split("…"):
        assert part.strip() in source


def test_all_pages_are_reached_from_the_first() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for path in (ROOT / "docs").rglob("*.md"):
        name = path.relative_to(ROOT / "docs").as_posix()
        assert name == "index.md" or f"]({name})" in index, name


def test_links_to_other_sites_lead_to_hosts_that_are_known() -> None:
    others = [*ROOT.glob("*.md"), *ROOT.glob("bench/*.md"), *ROOT.glob("extensions/**/*.md")]
    found = {"".join(link) for page in {*PAGES, *others} for link in LINK.findall(page.read_text(encoding="utf-8"))}
    for link in found:
        parts = urlsplit(link)
        assert (parts.scheme, parts.port, parts.username) == ("https", None, None), link
        assert re.fullmatch(r"https://[\w.-]+(/[\w./-]*)?(#[\w-]+)?", link), link
    assert {urlsplit(link).hostname for link in found} == HOSTS


def target() -> Any:
    path = ROOT / "tests" / "integration" / "targets" / "manual" / "files" / "manual.py"
    spec = importlib.util.spec_from_file_location("typed_manual", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def blocks() -> list[tuple[str, str, str]]:
    """Page, language and text of each block."""
    found = ((path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in PAGES)
    return [(page, *block) for page, text in found for block in target().BLOCK.findall(text)]


def commands(text: str) -> list[str]:
    """The command lines of a block of a console."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line[2:] for line in lines if line[:2] in ("$ ", "# ")]


@cache
def run_by_unit_tests() -> set[tuple[str, str]]:
    """Pages, and parts of the blocks that unit tests run."""
    calls = re.compile(r'\b(?:script|block)\("([^"]+)", "([^"]+)"')
    paths = [*(ROOT / "tests" / "unit").rglob("test_*.py"), *(ROOT / "tests" / "awx").glob("*.py")]
    return {
        (f"docs/{page}", part.encode().decode("unicode_escape"))
        for path in paths
        for page, part in calls.findall(path.read_text(encoding="utf-8"))
    }


@cache
def typed() -> dict[str, list[tuple[str, str]]]:
    """The blocks that are typed, by page or PAGE#HEADING: by the target, and by the scenario, whose plays name them."""
    named = r"""["'[]((?:guides/|applications/|\.\./|\.\./roles/\w+/)?[\w-]+\.md(?:#[\w ]*)?)["'\]]"""
    pages = [*target().PAGES, *from_nothing(), *re.findall(named, CONVERGE)]
    return {page: target().typed(page) for page in pages}


@cache
def from_nothing() -> list[str]:
    """Pages that the scenario types on machines which have nothing of what is installed."""
    variables = yaml.safe_load((SCENARIO / "vars" / "main.yml").read_text(encoding="utf-8"))
    return [variables["manual_in_clone"], *variables["manual_from_nothing"]]


def typed_blocks(pages: Iterable[str]) -> set[tuple[str, str]]:
    """Paths of pages, and texts of their blocks that are typed."""
    paths = {page: os.path.normpath(f"docs/{page.partition('#')[0]}") for page in pages}
    return {(path, text) for page, path in paths.items() for _language, text in typed()[page]}


def typed_by_root(page: str, command: str) -> bool:
    """Whether the scenario finds a line of a page by its pattern, to type it as root on a host."""
    pattern = re.search(r"regex_findall\('(\^# .*)', multiline", CONVERGE)
    assert pattern
    return f"~ '/{page}')" in CONVERGE and re.match(pattern[1], f"# {command}") is not None


def test_each_command_is_run_or_has_a_reason() -> None:
    run, installing = typed_blocks(typed()), typed_blocks(from_nothing())
    reasons, parts = set(), set()
    for page, language, text in blocks():
        if language in (*OUTPUT, "yaml") or ((page, text) in run and language == "python"):
            continue
        assert language == "console", f"{page}: of which kind is this?\n{text}"
        found = {one for one in run_by_unit_tests() if one[0] == page and one[1] in text}
        parts |= found
        for command in commands(text):
            reason = {one for one in ELSEWHERE if command.startswith(one)}
            reasons |= reason
            done = (
                found
                or (page, text) in (installing if target().INSTALLS.search(command) else run)
                or typed_by_root(page, command)
                or f"- run: {command.partition('  #')[0].rstrip()}\n" in WORKFLOW
            )
            assert done or reason, f"{page}: neither run, nor with a reason: {command}"
    assert reasons == ELSEWHERE
    assert parts == run_by_unit_tests()


def test_typed_pages_exist() -> None:
    assert len(typed()) > len(target().PAGES)
    assert [page for page, found in typed().items() if not found] == []


# From an empty machine to a restored application. The rest of the first page comes after that.
TUTORIALS = [page for page in target().PAGES if page == "START.md" or page.endswith("#From nothing to a restored host")]


@pytest.mark.parametrize("page", TUTORIALS)
def test_a_tutorial_has_at_most_15_lines(page: str) -> None:
    found = target().typed(page)[: 1 if page == "START.md" else None]
    lines = [line for language, text in found for line in lines_typed(language, text)]
    assert "apt-get install" in lines[0]
    assert any("day2.ops.restore" in line for line in lines)
    assert len(lines) <= 15


def lines_typed(language: str, text: str) -> list[str]:
    """Lines of a block that the reader types: of a console with continuations, of a file without comments."""
    if language == "console":
        return [line for found in re.findall(r"^[$#] (?:.*\\\n)*.*", text, re.MULTILINE) for line in found.splitlines()]
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def words_of(command: str) -> list[list[str]]:
    """The words of each program of a command line."""
    lexer = shlex.shlex(re.sub(r"\$\(.*?\)", "printed", command), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    programs: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set("&|;()"):
            programs.append([])
        elif programs[-1] or not re.match(r"\w+=", word):
            programs[-1].append(word)
    return [one for one in programs if one]


@cache
def groups() -> set[str]:
    """Groups and hosts of the inventory."""

    def names(group: Mapping[str, Any]) -> Iterator[str]:
        yield from group.get("hosts") or ()
        for name, one in (group.get("children") or {}).items():
            yield name
            yield from names(one)

    return set(names(yaml.safe_load((ROOT / "inventory" / "hosts.yml").read_text(encoding="utf-8"))["all"]))


def check_playbook(words: list[str], page: str) -> None:
    """A call of ansible-playbook has options that exist, a playbook, hosts and variables."""
    cli = PlaybookCLI(words)
    cli.init_parser()
    options = cli.parser.parse_args(words[1:])
    for name in options.args:
        own = name.rpartition(".")[2] if name.startswith("day2.ops.") else ""
        if own:
            text = PLAYBOOKS[own]
        elif (ROOT / name).exists():
            text = (ROOT / name).read_text(encoding="utf-8")
        else:
            assert f"\n# {name}\n" in page, name
            text = page
        for given in options.extra_vars:
            if given.startswith("@"):
                name = str(Path(given[1:]).relative_to(Path.cwd()))
                assert f"\n# {name}\n" in page or f"> {name})\n" in page, given
                continue
            for variable in json.loads(given) if given.startswith("{") else parse_kv(given):
                assert variable in variables() or re.search(rf"\b{variable}\b", text), variable
    if options.inventory == ["inventory"] and options.subset:
        assert options.subset in groups(), options.subset


def check_task(words: list[str]) -> None:
    """A call of ansible has options that exist, of itself and of the module."""
    cli = AdHocCLI(words)
    cli.init_parser()
    options = cli.parser.parse_args(words[1:])
    given = json.loads(options.module_args) if options.module_args[:1] == "{" else parse_kv(options.module_args)
    assert options.module_name.startswith("day2.ops.")
    assert not problem_of(options.module_name[len("day2.ops.") :], given)


@pytest.mark.parametrize("path", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_right(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    found = [commands(text) for _page, language, text in blocks() if ROOT / _page == path and language == "console"]
    text = "\n".join(line for lines in found for line in lines)
    subprocess.run(["bash", "-n", "-c", text], check=True)
    for words in (one for lines in found for command in lines for one in words_of(command)):
        assert words[0] in PROGRAMS.split(), words
        assert [one for one in words if re.match("(awx|containers|demo)/", one) and not (ROOT / one).exists()] == []
        if words[0] == "ansible-playbook":
            check_playbook(words, page)
        elif words[0] == "ansible":
            check_task(words)
        elif words[0] == "day2":
            program._parser().parse_args(words[1:])


@cache
def role_options() -> dict[str, dict[str, Any]]:
    specs = {path.parts[-3]: yaml.safe_load(path.read_text("utf-8")) for path in ROOT.glob("roles/*/meta/*_specs.yml")}
    return {role: spec["argument_specs"]["main"]["options"] for role, spec in specs.items()}


@cache
def variables() -> set[str]:
    return {name for options in role_options().values() for name in options}


@cache
def builtin_options(name: str) -> set[str]:
    spec = importlib.util.find_spec(f"ansible.modules.{name}")
    assert spec, name
    assert spec.origin
    (text,) = re.findall(
        r'^DOCUMENTATION = r?"""\n(.*?)^"""', Path(spec.origin).read_text("utf-8"), re.M | re.S
    ) or re.findall(r"^DOCUMENTATION = r?'{3}\n(.*?)^'{3}", Path(spec.origin).read_text("utf-8"), re.M | re.S)
    document = yaml.safe_load(text)
    options = document["options"]
    if "files" in document.get("extends_documentation_fragment", ()):
        options.update(yaml.safe_load(files.ModuleDocFragment.DOCUMENTATION)["options"])
    return {*options, *(alias for one in options.values() for alias in one.get("aliases", ()))}


# As defaults/main.yml of the role has them.
JOB_DEFAULTS = {"random_delay": "10m", "timeout": "1h", "program": "day2", "encrypted": False}


def health_checks(value: Any) -> None:
    read_checks(without_templates(value), {"timeout": "10s", "interval": "1s", "retries": 0})


def migrations(value: Any) -> None:
    for one in value:
        assert not problem_of("migrate", {"repository": "/var/backups/day2", **one})


# Parts of the arguments of a task, or variables of playbooks, that stand for themselves.
PARTS = {
    "where": lambda value: Where(value, datetime.now(timezone.utc)),
    "dotmac_customers": machine_from,
    "upgrade_migrations": migrations,
    "upgrade_checks": health_checks,
    "health_checks_checks": health_checks,
    "health_checks_notify": lambda value: [checked_channel(one) for one in value],
    "schedule_notify": lambda value: channels_of(None, value),
}


YAML = [(page, text) for page, language, text in blocks() if language == "yaml"]


class Reader:
    """Reads a document, and counts in `read` what it knows."""

    def __init__(self) -> None:
        self.read = 0

    def document(self, value: Any) -> None:
        if isinstance(value, list):
            for one in value:
                self.document(one)
        elif isinstance(value, dict):
            for one in value.get("schedule_jobs", ()):
                scheduled_job(one, {**JOB_DEFAULTS, "notify": value.get("schedule_notify", [])})
            self._roles(value)
            for key, one in value.items():
                self._member(str(key), one)

    def _member(self, key: str, value: Any) -> None:
        if key.startswith("day2.ops.") and isinstance(value, dict):
            assert not problem_of(key[len("day2.ops.") :], value)
            self.read += 1
        elif key.startswith("ansible.builtin.") and isinstance(value, dict) and "role" not in key:
            assert set(value) <= builtin_options(key.rpartition(".")[2]), key
            self.read += 1
        elif key in PARTS:
            PARTS[key](value)
            self.read += 1
        elif key.endswith("_role"):
            role, tasks = value["name"].rpartition(".")[2], value.get("tasks_from", "main")
            assert (ROOT / "roles" / role / "tasks" / f"{tasks}.yml").exists()
            self.read += 1
        else:
            self.document(value)

    def _roles(self, value: Mapping[str, Any]) -> None:
        """Variables of roles have values that the roles accept. What only a play knows is left out."""
        for role, options in role_options().items():
            given = {name: one for name, one in value.items() if str(name).startswith(f"{role}_")}
            assert set(given) <= set(options), f"no variables of roles: {sorted(set(given) - set(options))}"
            known = {name: without_templates(one) for name, one in given.items() if not is_template(one)}
            checked = ArgumentSpecValidator({name: options[name] for name in known}).validate(known)
            assert checked.error_messages == []
            self.read += len(given)


def stores_of_commands() -> tuple[str, ...]:
    """Keys of a store of the type command, of which docs/COMMANDS.md has parts. test_documented_tasks.py opens them."""
    return ("source", "restore", "swap", "discard", "dump")


@pytest.mark.parametrize(("page", "text"), YAML, ids=[one[0] for one in YAML])
def test_yaml_is_right(page: str, text: str) -> None:
    reader = Reader()
    value = yaml.safe_load(text)
    if "template" in value:  # of a webhook in schedule_notify
        value = {"schedule_notify": [{"name": "a", "type": "webhook", "url": "a", **value}]}
    reader.document(value)
    assert reader.read or (page == "docs/COMMANDS.md" and set(value) <= set(stores_of_commands()))


def test_playbooks_and_modules_that_are_named_exist() -> None:
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    for _page, language, text in blocks():
        if language == "console":
            assert set(re.findall(r"day2\.ops\.(\w+)", text)) <= {*PLAYBOOKS, *modules}, text


@pytest.mark.parametrize(
    "wrong",
    [
        "day2.ops.backup: {nmae: a}",
        "ansible.builtin.file: {paht: a}",
        "store_backup_stroes: []",
        "store_backup_stores: [{nmae: a}]",
        "where: [{field: a, si: 1}]",
        "upgrade_checks: [{name: a, type: http}]",
        "schedule_jobs: [{name: a, verb: backup, on_calendar: hourly, arguments: {nmae: a}}]",
        "schedule_notify: [{name: a, type: webhook, url: a, template: {a: '{what}'}}]",
    ],
)
def test_mistakes_in_yaml_are_found(wrong: str) -> None:
    with pytest.raises((AssertionError, Day2Error)):
        Reader().document(yaml.safe_load(wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        "ansible-playbook -i inventory day2.ops.backup --chekc",
        "ansible-playbook -i inventory day2.ops.backup -l hawkfihs",
        "ansible-playbook -i inventory day2.ops.backup -e store_backup_verfiy=full",
    ],
)
def test_mistakes_in_commands_are_found(wrong: str) -> None:
    with pytest.raises((AssertionError, SystemExit)):
        check_playbook(wrong.split(), "")
