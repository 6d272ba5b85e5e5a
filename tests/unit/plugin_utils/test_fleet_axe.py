# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page in a browser: axe-core finds no violation in it, light and dark, with everything unfolded, and it fits on a
telephone."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.plugin_utils.fleet.page import INDEX, pages
from tests.services.npm import npm_package
from tests.unit.plugin_utils.fleet_sample import large_fleet
from tests.unit.plugin_utils.test_fleet_page import everything, judged

pytestmark = pytest.mark.once

BROWSERS = ("chromium-headless-shell", "chrome-headless-shell")  # whose windows can be as narrow as a telephone
# Writes what it finds into the page, as that is what the browser prints.
SCRIPT = """
axe.run(document, {resultTypes: ["violations"]}).then(found => {
  const violations = found.violations.map(
    one => ({id: one.id, help: one.help, nodes: one.nodes.slice(0, 3).map(node => node.html)}));
  const top = document.documentElement;
  const wide = [...document.querySelectorAll("body *")].filter(
    one => one.getBoundingClientRect().right > top.clientWidth + 1);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const told = {violations, dark, passes: found.passes.length, width: top.clientWidth, needed: top.scrollWidth,
                wide: wide.slice(0, 5).map(one => one.outerHTML.slice(0, 200))};
  const place = document.createElement("pre");
  place.id = "told";
  place.textContent = JSON.stringify(told);
  document.body.append(place);
});
"""


def unfolded(page: str) -> str:
    """The page, that lets the test's script run."""
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    assert policy.search(page)
    axe = (npm_package("axe-core") / "axe.min.js").read_text(encoding="utf-8")
    page = re.sub(r"<details(?![^>]* open)", "<details open", policy.sub("", page))
    return page.replace("</body>", f"<script>{axe}</script><script>{SCRIPT}</script></body>")


def look(path: Path, width: int, dark: bool) -> dict[str, Any]:
    """What the browser tells of the page."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.fail("A browser is missing. Install it with: apt-get install chromium-headless-shell (Debian)")
    options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={path.parent / 'profile'}"]
    options += [f"--blink-settings=preferredColorScheme={int(not dark)}", f"--window-size={width},900"]
    options += ["--virtual-time-budget=60000", "--hide-scrollbars", "--dump-dom"]
    done = subprocess.run([browser, *options, path.as_uri()], capture_output=True, check=False, timeout=600)
    told = re.search(r'<pre id="told">(.*?)</pre>', done.stdout.decode(), re.DOTALL)
    assert told, done.stderr.decode()[-2000:]
    found: dict[str, Any] = json.loads(html.unescape(told[1]))
    return found


def test_the_page_is_accessible_and_fits(tmp_path: Path) -> None:
    for name, facts in (("everything", everything()), ("large", large_fleet(20, 24))):
        path = tmp_path / f"{name}.html"
        path.write_text(unfolded(pages(judged(facts))[INDEX]), encoding="utf-8")
        for width, dark in ((320, False), (1440, True)):  # contrasts do not depend on the width
            found = look(path, width, dark)
            assert found["dark"] is dark
            assert found["passes"] > 10
            assert found["violations"] == []
            assert (found["width"], found["needed"], found["wide"]) == (width, width, [])
