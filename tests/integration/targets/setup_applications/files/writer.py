# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""writer.py DATABASE: writes to HawkFish's audit log in the background, for ten minutes or until it is killed.

Prints its process id once the first record is in.
"""

import os
import sqlite3
import sys
import time


def write(database, ready):
    connection = sqlite3.connect(database, isolation_level=None, timeout=60)
    end = time.monotonic() + 600
    while time.monotonic() < end:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO audit_log (timestamp, action) VALUES (datetime(), 'written')")
        connection.execute("COMMIT")
        if ready is not None:
            os.write(ready, b"%d" % os.getpid())
            os.close(ready)
            ready = None
        time.sleep(0.002)


def main():
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        os.setsid()
        os.close(read_end)
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        write(sys.argv[1], write_end)
        os._exit(0)
    os.close(write_end)
    pid = os.read(read_end, 20)
    if not pid:
        sys.exit("the writer could not write")
    print(pid.decode())


main()
