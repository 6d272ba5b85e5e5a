# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the pings and webhooks that it gets to a file, a line each."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        with open("/srv/received", "a", encoding="utf-8") as file:
            file.write(f"{self.path} {' '.join(body.split())}\n")
        self.send_response(200)
        self.end_headers()


ThreadingHTTPServer(("127.0.0.1", 8099), Handler).serve_forever()
