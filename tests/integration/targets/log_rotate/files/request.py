# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""request.py SOCKET PATH: one HTTP request over a Unix socket."""

from __future__ import annotations

import socket
import sys

with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    connection.sendall(f"GET /{sys.argv[2]} HTTP/1.0\r\n\r\n".encode())
    while connection.recv(4096):
        pass
