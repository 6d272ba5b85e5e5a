# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""versions.py ARCHIVE: makes three versions of a program, where pip finds them, and installs the first one.

ARCHIVE has the packages pip and packaging.
"""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

PLACE, WHEELS = Path("/opt/hawkfish"), Path("/var/lib/wheels")
VERSIONS = ("0.7.0", "0.7.1", "1.0.0")


def make_wheel(version: str) -> None:
    name = f"hawkfish_controller-{version}"
    with zipfile.ZipFile(WHEELS / f"{name}-py3-none-any.whl", "w") as wheel:
        for path, text in {
            "hawkfish_controller.py": "def main():\n    print('none')\n",
            f"{name}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: hawkfish-controller\nVersion: {version}\n",
            f"{name}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{name}.dist-info/entry_points.txt": "[console_scripts]\nhawkfish = hawkfish_controller:main\n",
            f"{name}.dist-info/RECORD": "",
        }.items():
            wheel.writestr(path, text)


def main() -> None:
    WHEELS.mkdir()
    for version in VERSIONS:
        make_wheel(version)
    Path("/etc/pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {WHEELS}\n", encoding="utf-8")
    # The module pip looks for "packaging" in the host's own Python.
    venv.create(PLACE, symlinks=True)
    (own,) = PLACE.glob("lib/python*/site-packages")
    for place in (own, Path(sysconfig.get_path("purelib"))):
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["tar", "-C", place, "-xzf", sys.argv[1]], check=True)
    pip = PLACE / "bin" / "pip"
    pip.write_text(f'#!/bin/sh\nexec {PLACE}/bin/python -m pip "$@"\n', encoding="utf-8")
    pip.chmod(0o755)
    subprocess.run([pip, "install", f"hawkfish-controller=={VERSIONS[0]}"], check=True)


if __name__ == "__main__":
    main()
