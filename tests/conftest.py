# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the tests find the collection, wherever the clone lies, and takes skipped tests for what they are."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import signal
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, settings

# A machine that has other work to do is no fault of a test's. CI judges a change by the same examples each time; all
# other runs look for new ones.
settings.register_profile(
    "day2", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("day2")

ROOT = Path(__file__).resolve().parents[1]
COLLECTIONS = ROOT / ".cache" / "collections"


def link_collection() -> None:
    link = COLLECTIONS / "ansible_collections" / "day2" / "ops"
    # A clone that was copied or moved, its .cache with it, would have the code of another one tested.
    with contextlib.suppress(OSError):
        if link.readlink() == ROOT:
            return
    link.parent.mkdir(parents=True, exist_ok=True)
    # Several pytest workers may come here at once.
    new = link.with_name(f".ops-{os.getpid()}")
    new.symlink_to(ROOT)
    new.replace(link)


# What nohup, the background of a shell or the settings of a user have these tests do, every program that they start
# would do, too.
for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:  # Python itself ignores these two
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, ())
os.umask(0o022)
# Nor are servers, proxies, keys and languages that the shell names meant for these tests.
for name in list(os.environ):
    if re.match("(PG|AWS_|RCLONE_|RESTIC_|BORG_|LC_|TZ$|LANGUAGE$|.*_proxy$)", name, re.IGNORECASE):
        del os.environ[name]
os.environ["LANG"] = "C.UTF-8"
link_collection()
sys.path.insert(0, str(COLLECTIONS))
sys.path.insert(0, str(ROOT))  # tests.services


# Packages where Python's own library does most of the work, or the code asks for its version: their tests run on both.
ON_BOTH = ("_core", "_logs")


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    if not pluginmanager.hasplugin("cacheprovider"):  # -p no:cacheprovider: a setting that nobody knows is an error
        parser.addini("cache_dir", "not used")
    parser.addoption("--share", choices=["0", "1"], help="on two Pythons or ansible-cores: what this one of them runs")


def pytest_report_header(config: pytest.Config) -> list[str]:
    share = config.getoption("share")
    return (
        [f"share {share}: tests that need not run on both are shared out, and grids thinned out (tests/conftest.py)"]
        if share
        else []
    )


def shares_of(item: pytest.Item) -> str:
    """Who runs a test: "0", "1" or "01", for ever the same.

    Tests outside module_utils are for ansible-core, and run on both. Other tests are shared out one by one, so that
    each Python runs some of nearly every module; those of files that are `once`, file by file, as servers take time.
    """
    names, path = getattr(item, "fixturenames", ()), item.nodeid.partition("::")[0]
    once = item.get_closest_marker("once")
    if "dynamodb_local_url" in (*names, *re.findall(r"\w+", item.name)):
        return "0"  # Amazon's server takes seconds to start and is slow; on the other Python, dynoxide stands for it.
    if item.get_closest_marker("newest_boto3"):
        return "1"  # requirements/unit.txt
    if ("/module_utils/" not in path or path.split("/")[3] in ON_BOTH) and not once:
        return "01"
    of_file = any(node.get_closest_marker("once") for node in item.listchain()[:-1])
    return str(zlib.crc32((path if of_file else item.nodeid).encode()) % 2)


def repeated(items: list[pytest.Item]) -> set[pytest.Item]:
    """Of tests that are a `grid`: the combinations of parameters without which each value is still in one."""
    grids: dict[str, list[pytest.Item]] = {}
    for item in sorted(items, key=lambda one: zlib.crc32(one.nodeid.encode())):  # for ever the same
        if item.get_closest_marker("grid") and hasattr(item, "callspec"):
            grids.setdefault(item.nodeid.partition("[")[0], []).append(item)
    found: set[pytest.Item] = set()
    for left in grids.values():
        seen: set[Any] = set()
        while left and values_of(chosen := max(left, key=lambda one: len(values_of(one) - seen))) - seen:
            seen |= values_of(chosen)
            left.remove(chosen)
        found.update(left)
    return found


def values_of(item: Any) -> set[Any]:
    """What a combination has of each `parametrize`, and of each fixture with parameters."""
    names = [mark.args[0] for mark in item.iter_markers("parametrize")]
    groups = [tuple(re.findall(r"\w+", one) if isinstance(one, str) else one) for one in names]
    given = item.callspec.params
    groups += [(name,) for name in given if name not in {name for group in groups for name in group}]
    return {(group, tuple(id(given[name]) for name in group)) for group in groups}


# So many times its examples each property test has, but ten at least; "make soak" sets 20.
EXAMPLES = float(os.environ.get("EXAMPLES", "0.25"))
# What other tests do at random, they do so many times as often: kills, and sequences of runs.
TIMES = max(1, int(EXAMPLES))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for function in {getattr(item, "function", None) for item in items}:
        usual = getattr(function, "_hypothesis_internal_use_settings", None)
        if function is not None and usual is not None:
            count = max(min(usual.max_examples, 10), int(usual.max_examples * EXAMPLES))
            function._hypothesis_internal_use_settings = settings(usual, max_examples=count)
    share = config.getoption("share")
    if share:
        again = repeated(items)
        mine = [item for item in items if item not in again and share in shares_of(item)]
        config.hook.pytest_deselected(items=list(set(items).difference(mine)))
        items[:] = mine


def pytest_collection_finish(session: pytest.Session) -> None:
    # What is there by now stays. Neither collections of garbage nor processes that are forked have to go through it.
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.fail("only root can do what this test does: run the tests as root, as CI does", pytrace=False)


def skipped(config: Any) -> list[Any]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return list(reporter.stats.get("skipped", [])) if reporter else []


def pytest_sessionfinish(session: Any, exitstatus: int) -> None:
    # A missing program must be installed, not passed over.
    if exitstatus == 0 and skipped(session.config):
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    if skipped(config):
        terminalreporter.write_line("Skipped tests count as failures here: install what they miss.", red=True)


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory that all users can enter. Those of pytest are private, and each run of pytest makes them so again."""
    with tempfile.TemporaryDirectory(prefix="day2-open-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture
def immutable(tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """`immutable(path)`: nobody can change or remove it (chattr +i), wherever it is moved, until the test has ended."""
    yield lambda path: subprocess.run(["chattr", "+i", path], check=True) and None
    subprocess.run(["chattr", "-R", "-f", "-i", tmp_path], check=False)
