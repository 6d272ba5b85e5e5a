# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""monitor.py DIRECTORY: a monitor that writes the paths it is asked for to DIRECTORY/pings, for a minute at most."""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

directory = Path(sys.argv[1])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        with (directory / "pings").open("a", encoding="utf-8") as pings:
            pings.write(self.path + "\n")
        self.send_response(200)
        self.end_headers()


server = HTTPServer(("127.0.0.1", 0), Handler)
server.timeout = 1
(directory / "port").write_text(str(server.server_port), encoding="utf-8")
end = time.monotonic() + 600
while time.monotonic() < end and not (directory / "done").exists():
    server.handle_request()
