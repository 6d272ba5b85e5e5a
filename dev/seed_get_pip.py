# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives ansible-test the pip it wants.

ansible-test downloads get-pip.py from a server of its own, which fails where only a package index is reachable.
It looks in its cache first: this puts a script there that does the same with pip's wheel from the index.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import ansible_test

SCRIPT = """\
import sys

HERE = {directory!r}
sys.path.insert(0, HERE + "/pip-{version}-py3-none-any.whl")

from pip._internal.cli.main import main

packages = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(main(["install", "--upgrade", "--no-index", "--find-links", HERE, *packages]))
"""


def main() -> None:
    source = Path(ansible_test.__path__[0], "_internal", "python_requirements.py").read_text(encoding="utf-8")
    found = re.search(r"\bpip='([0-9.]+)'", source)
    if not found:
        sys.exit("This ansible-test names its pip in another way: see get_venv_packages() in python_requirements.py")
    version = found.group(1)
    cache = Path.home() / ".ansible" / "test" / "cache"
    script = cache / f"get_pip_{version.replace('.', '_')}.py"
    if script.exists():
        return
    cache.mkdir(parents=True, exist_ok=True)
    download = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(cache), f"pip=={version}"]
    subprocess.run(download, check=True)
    script.write_text(SCRIPT.format(directory=str(cache), version=version), encoding="utf-8")


if __name__ == "__main__":
    main()
