# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the pictures of the manual again, in docs/images: dev/with python dev/images.py [progress] [fleet]

A task that shows its progress is run in a terminal. The page of a fleet is that of the tests. Both are pictures of a
headless browser (apt-get install chromium-headless-shell).
"""

from __future__ import annotations

import fcntl
import html
import os
import pty
import re
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
sys.path[:0] = [str(ROOT), str(ROOT / ".cache" / "collections")]
COLUMNS = 108
PLAY = """
- name: Back up the shop
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Back up the database, and keep the last ten backups
      day2.ops.backup:
        name: shop
        source: {type: sqlite, path: "{{ playbook_dir }}/shop.db"}
        repository: "{{ playbook_dir }}/backups"
        keep: {last: 10}
"""
TERMINAL = """<meta charset="utf-8"><style>
body {margin: 0; padding: 16px; background: #1e1e1e; color: #d4d4d4}
pre {margin: 0; font: 14px/20px "DejaVu Sans Mono", monospace}
.c31 {color: #f48771} .c32 {color: #89d185} .c33 {color: #e2c08d} .c34, .c36 {color: #75beff} .c35 {color: #c586c0}
</style><pre>"""


def in_a_terminal(argv: list[str], directory: Path) -> str:
    """What a program writes to a terminal."""
    process, terminal = pty.fork()
    if not process:
        os.chdir(directory)
        os.execvpe(
            argv[0], argv, {**os.environ, "TERM": "xterm-256color", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False"}
        )
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    written = b""
    try:
        while read := os.read(terminal, 65536):
            written += read
    except OSError:  # the end of a terminal
        pass
    if os.waitpid(process, 0)[1]:
        raise SystemExit(written.decode())
    return written.decode().replace("\r\n", "\n")


def as_html(text: str) -> str:
    marked = re.sub(r"\x1b\[[01];(3\d)m", r'<span class="c\1">', html.escape(text))
    return TERMINAL + re.sub(r"\x1b\[0m", "</span>", marked) + "</pre>"


def picture(page: str, name: str, width: int, height: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "page.html"
        path.write_text(page, encoding="utf-8")
        options = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={directory}/profile"]
        options += [f"--window-size={width},{height}", f"--screenshot={IMAGES / name}", path.as_uri()]
        subprocess.run(["chromium-headless-shell", *options], check=True, capture_output=True)


def progress() -> None:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        with sqlite3.connect(place / "shop.db") as database:
            database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, what BLOB)")
            database.executemany("INSERT INTO orders (what) VALUES (?)", ((os.urandom(3000),) for _ in range(100_000)))
        (place / "backup.yml").write_text(PLAY, encoding="utf-8")
        shown = "$ ansible-playbook backup.yml" + in_a_terminal(["ansible-playbook", "backup.yml"], place).rstrip()
    shown = shown.replace(f"{directory}/", "").replace("backup.ymlPLAY", "backup.yml\nPLAY")
    picture(as_html(shown), "progress.png", COLUMNS * 9 + 32, 20 * (shown.count("\n") + 1) + 32)


def fleet() -> None:
    from ansible_collections.day2.ops.plugins.plugin_utils.fleet.judge import judge  # needs the paths
    from ansible_collections.day2.ops.plugins.plugin_utils.fleet.page import INDEX, pages
    from ansible_collections.day2.ops.plugins.plugin_utils.fleet.schema import checked
    from tests.unit.plugin_utils.fleet_sample import ago, large_fleet

    facts = large_fleet(20, 24)
    late, damaged, silent = facts["hosts"][:3]
    late["sets"][0]["newest_good"] = {
        "id": "20261127T180000Z-3f2a9c1b",
        "made_at": ago(32400),
        "confirmed_at": ago(32400),
    }
    late["sets"][0]["runs"] = "o" * 88 + "mm"
    problem = {"backup": "20261126T020000Z-3f2a9c1b", "problem": "data/shop.db.zst: the checksum differs"}
    damaged["sets"][0]["verification"] = {"at": ago(7200), "backups": 40, "damaged": [problem]}
    silent.update(last_report_at=ago(90000), problem="Connection timed out")
    picture(pages(judge(checked(facts)))[INDEX], "fleet.png", 1100, 625)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for one in sys.argv[1:] or ("progress", "fleet"):
        {"progress": progress, "fleet": fleet}[one]()
