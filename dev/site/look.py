# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at each page of a site in a browser, as wide as a telephone and a desktop, light and dark: look.py HTML.

No page may be wider than its window, and all text must have a contrast of 4.5, or 3 if it is large (WCAG AA).
Fails with what it finds.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional

WIDTHS = (360, 1440)
THEMES = ("light", "dark")
BROWSERS = ("chromium-headless-shell", "chrome-headless-shell")
LONGEST = 900  # seconds, for all pages
LOOK = "/_look.html"  # the page that looks at the others, in a frame
SCRIPT = """
const shade = text => {
  const part = text.match(/[\\d.e-]+/g).map(Number), unit = text.startsWith("color(") ? 255 : 1;
  return [...part.slice(0, 3).map(one => one * unit), part.length > 3 ? part[3] : 1];
};
const over = (top, below) => [0, 1, 2].map(n => top[n] * top[3] + below[n] * (1 - top[3])).concat(1);
const light = shade => {
  const linear = one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
  const [r, g, b] = shade.map(one => linear(one / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const background = one => {
  const layers = [], view = one.ownerDocument.defaultView;
  for (; one; one = one.parentElement) layers.push(shade(view.getComputedStyle(one).backgroundColor));
  return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
};
const faint = page => {
  const found = {}, texts = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const one = text.parentElement, style = page.defaultView.getComputedStyle(one);
    if (!text.data.trim() || !one.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    if (!one.getClientRects().length || one.closest("svg, script, style")) continue;
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const below = background(one), [a, b] = [light(over(shade(style.color), below)), light(below)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < (large ? 3 : 4.5)) found[`${style.color} on ${below.slice(0, 3).map(Math.round)}: ` +
      `${contrast.toFixed(1)}, <${one.localName} class="${one.className}">`] = text.data.trim().slice(0, 40);
  }
  return Object.entries(found).map(([what, where]) => `${what}: ${where}`);
};
const wide = page => {
  const top = page.documentElement;
  if (top.scrollWidth <= top.clientWidth) return [];
  const cause = [...page.querySelectorAll("body *")].filter(
    one => one.getBoundingClientRect().right > top.clientWidth + 1);
  return [`${top.scrollWidth} pixels wide: ${cause.slice(-1).map(one => one.outerHTML.slice(0, 120))}`];
};
const look = async () => {
  const frame = document.querySelector("iframe"), found = [];
  for (const path of PAGES) {
    await new Promise(loaded => { frame.onload = loaded; frame.src = path; });
    const page = frame.contentDocument, still = page.createElement("style");
    still.textContent = "* { transition: none !important; animation: none !important }";
    page.head.append(still);
    for (const width of WIDTHS) for (const theme of THEMES) {
      frame.style.width = `${width}px`;
      page.body.dataset.theme = theme;
      for (const one of [...wide(page), ...faint(page)]) found.push(`${path} (${width}, ${theme}): ${one}`);
    }
  }
  await fetch("/", {method: "POST", body: JSON.stringify(found)});
};
look().catch(error => fetch("/", {method: "POST", body: JSON.stringify([String(error.stack)])}));
"""


class Site(ThreadingHTTPServer):
    """The pages, and what the browser has found in them."""

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Answer, directory=str(directory)))
        self.paths = [path.relative_to(directory).as_posix() for path in sorted(directory.rglob("*.html"))]
        self.found: Optional[list[str]] = None
        self.ended = threading.Event()

    def page(self) -> bytes:
        known = {"PAGES": self.paths, "WIDTHS": WIDTHS, "THEMES": THEMES}
        constants = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in known.items())
        frame = '<iframe style="height: 900px; border: 0"></iframe>'
        return f"<!doctype html><body>{frame}<script>{constants}{SCRIPT}</script></body>".encode()


class _Answer(SimpleHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        if self.path != LOOK:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.server.page())

    def do_POST(self) -> None:
        self.server.found = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        self.server.ended.set()

    def log_message(self, format: str, *args: Any) -> None:
        """Not a line for each file."""


def look(directory: Path) -> tuple[int, list[str]]:
    """The number of pages, and what is wrong with them."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit("A browser is missing. Install it with: apt-get install chromium-headless-shell (Debian)")
    with Site(directory) as site, tempfile.TemporaryDirectory() as profile:
        if not site.paths:
            raise SystemExit(f"{directory} has no pages. Build them with: make docs-site")
        threading.Thread(target=site.serve_forever, daemon=True).start()
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}"]
        options += ["--window-size=1500,1000", "--hide-scrollbars", "--remote-debugging-port=0"]
        address = f"http://127.0.0.1:{site.server_address[1]}{LOOK}"
        with open(Path(profile) / "log", "w+", encoding="utf-8") as log:
            # On Debian, the program is a script that starts the browser: a group ends with both.
            running = subprocess.Popen([browser, *options, address], stdout=log, stderr=log, start_new_session=True)
            try:
                ended = site.ended.wait(LONGEST)
            finally:
                os.killpg(running.pid, signal.SIGTERM)
                running.wait()
                site.shutdown()
            log.seek(0)
            if not ended or site.found is None:
                raise SystemExit(
                    f"The browser has not looked at all pages within {LONGEST} seconds.\n{log.read()[-2000:]}"
                )
        return len(site.paths), site.found


def main() -> None:
    number, found = look(Path(sys.argv[1]))
    if found:
        raise SystemExit("\n".join([*found, f"{len(found)} findings in {number} pages"]))
    print(
        f"{number} pages fit into windows of {' and '.join(map(str, WIDTHS))} pixels, and can be read light and dark."
    )


if __name__ == "__main__":
    main()
