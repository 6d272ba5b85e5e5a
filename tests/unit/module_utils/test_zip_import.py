# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from ansible_collections.day2.ops.plugins.module_utils import _zip_import

PROGRAM = """
import sys
compiled = []
sys.addaudithook(lambda event, args: compiled.append(args[1]) if event == "compile" else None)
sys.path.insert(0, "code.zip")
import _zip_import, package.module
names = [str(name) for name in compiled]
print(package.module.VALUE, *(sum(end in name for name in names) for end in ("module.py", "__init__.py")))
try:
    import package.missing
except ImportError as exc:
    print(exc)
"""


def test_a_module_in_a_zip_file_is_compiled_once(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.write(_zip_import.__file__, "_zip_import.py")
        archive.writestr("package/__init__.py", "")
        archive.writestr("package/module.py", "VALUE = __file__")
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, check=True, text=True)
    assert done.stdout.splitlines() == ["code.zip/package/module.py 1 1", "No module named 'package.missing'"]


THREADS = """
import sys, threading
sys.path.insert(0, "code.zip")
import _zip_import

found = []

def use():
    from package import slow
    found.append(slow.VALUE)

threads = [threading.Thread(target=use) for dummy in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
from package import slow
print(found, slow.__file__, slow.__spec__.name)
"""


def test_threads_that_import_a_module_wait_for_all_of_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.write(_zip_import.__file__, "_zip_import.py")
        archive.writestr("package/__init__.py", "")
        archive.writestr("package/slow.py", "import time\ntime.sleep(0.2)\nVALUE = 5")
    done = subprocess.run([sys.executable, "-c", THREADS], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[5, 5, 5, 5] code.zip/package/slow.py package.slow\n", "")
