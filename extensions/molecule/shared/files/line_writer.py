# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines with numbers, at full speed, into a log; and what became of them.

line_writer.py run file PATH FIRST LAST     through Python's logging.FileHandler, which keeps the file open
line_writer.py run http URL FIRST LAST      each as a request: a web server writes its path into its access log
line_writer.py run syslog PORT FIRST LAST   each as a message over TCP to this host: a syslog server writes it
line_writer.py check LAST GLOB              every line is there, once and whole, in the logs together (.zst, too)

A line's number follows the word "line", and the word "end" follows it.
"""

from __future__ import annotations

import glob
import http.client
import logging
import re
import socket
import subprocess
import sys
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

READERS = {".zst": ["zstd", "-dcq"], ".gz": ["gzip", "-dc"], ".xz": ["xz", "-dc"]}
LINE = re.compile(rb"line/(\d+)/end")
# Many times what real applications write, and little enough for several hosts on one machine.
PER_SECOND = 1000


def words(number: int) -> str:
    return f"line/{number}/end"


def run_file(path: str, numbers: Iterator[int]) -> None:
    logging.basicConfig(filename=path, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for number in numbers:
        logging.info("%s %s", words(number), "x" * (number % 200))


def run_http(url: str, numbers: Iterator[int]) -> None:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    for number in numbers:
        # A server that reloads closes connections; a request that it has not answered is sent again.
        for _attempt in range(5):
            try:
                connection.request("GET", f"/{words(number)}")
                connection.getresponse().read()
                break
            except (http.client.HTTPException, OSError):
                connection.close()
        else:
            raise SystemExit(f"request {number} was not answered")


def run_syslog(port: str, numbers: Iterator[int]) -> None:
    with socket.create_connection(("127.0.0.1", int(port))) as connection:
        for number in numbers:
            connection.sendall(f"<13>Jun 30 10:00:00 host app: {words(number)}\n".encode())
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)


def steady(first: int, last: int) -> Iterator[int]:
    """first … last, not faster than PER_SECOND."""
    begin = time.monotonic()
    for number in range(first, last + 1):
        ahead = (number - first) / PER_SECOND - (time.monotonic() - begin)
        if ahead > 0.01:
            time.sleep(ahead)
        yield number


def read(path: Path) -> bytes:
    reader = READERS.get(path.suffix)
    return (
        subprocess.run([*reader, str(path)], check=True, stdout=subprocess.PIPE).stdout if reader else path.read_bytes()
    )


def check(last: int, paths: list[Path]) -> None:
    seen: Counter[int] = Counter()
    for path in paths:
        for line in read(path).splitlines():
            found = LINE.findall(line)
            if len(found) > 1:
                raise SystemExit(f"{path}: two lines run into each other: {line[:200]!r}")
            if found:
                seen[int(found[0])] += 1
            elif b"line/" in line or b"/end" in line:
                raise SystemExit(f"{path}: half a line: {line[:200]!r}")
    lost = [number for number in range(1, last + 1) if number not in seen]
    twice = [number for number, times in seen.items() if times > 1]
    if lost or twice:
        raise SystemExit(
            f"{len(lost)} lines are lost ({lost[:10]}), {len(twice)} are there more than once ({twice[:10]})"
        )
    print(f"{last} lines in {len(paths)} files")


def main() -> None:
    if sys.argv[1] == "run":
        numbers = steady(int(sys.argv[4]), int(sys.argv[5]))
        {"file": run_file, "http": run_http, "syslog": run_syslog}[sys.argv[2]](sys.argv[3], numbers)
    elif sys.argv[1] == "check":
        check(int(sys.argv[2]), [Path(one) for one in sorted(glob.glob(sys.argv[3]))])
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
