# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application that logs numbered lines as fast as it can through logging.FileHandler, and never opens its log again.

application.py LOG PID-FILE STOP-FILE; prints how many lines it wrote.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path


def main() -> None:
    log, pid_file, stop = sys.argv[1:]
    Path(pid_file).write_text(str(os.getpid()))
    logging.basicConfig(handlers=[logging.FileHandler(log)], format="%(message)s", level=logging.INFO)
    number = 0
    while number % 1024 or (number < 5_000_000 and not os.path.exists(stop)):
        logging.info("%d a line of the application", number)
        number += 1
        if not number % 64:
            time.sleep(0.003)  # leaves the machine to others
    Path(stop + ".count").write_text(str(number))


if __name__ == "__main__":
    main()
