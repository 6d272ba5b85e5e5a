# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual as a site: build.py TARGET.

Pages lie as in the repository, so that their links hold in both. Links to what is no page (manifests, directories) lead
into the repository that galaxy.yml names.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    "docs/**/*.md",
    "roles/*/README.md",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "CODE_OF_CONDUCT.md",
    "SECURITY.md",
]
FIRST = ROOT / "docs" / "index.md"
# Of a page of the reference; the theme has its own beside each page, and shows an error for another.
OWN_CONTENTS = re.compile(r"^\.\. contents::\n(?: +\S.*\n)*", re.MULTILINE)
LINK = re.compile(r"(?<=\]\()([^)\s:#]+)((?:#[^)\s]*)?)(?=\))")
CONTENTS = [
    ("Begin", ["docs/START", "docs/applications/*"]),
    (
        "Guides",
        [
            *("docs/guides/*", "docs/CONTAINERS", "docs/COMMANDS", "docs/AWS", "docs/HEALTH", "docs/RECORDS"),
            *("docs/DRILLS", "docs/EVIDENCE", "docs/AWX", "docs/SCALE", "docs/TROUBLESHOOTING"),
        ],
    ),
    ("Inside", ["docs/SECURITY-MODEL", "docs/FORMAT", "docs/DESIGN"]),
    ("Reference", ["roles/*/README", "reference/index"]),
    ("Project", ["README", "CHANGELOG", "CONTRIBUTING", "SECURITY", "CODE_OF_CONDUCT"]),
]


def pages() -> list[Path]:
    return sorted({path for glob in PAGES for path in ROOT.glob(glob)})


def linked(page: Path, known: set[Path], repository: str) -> str:
    """The text of a page, in which links lead to pages or into the repository."""

    def resolve(found: re.Match[str]) -> str:
        target = (page.parent / found[1]).resolve()
        if target.suffix == ".png":
            return found[0]
        if target == FIRST:
            return os.path.relpath(ROOT / "index.md", page.parent)
        if target in known:
            return found[0]
        if target / "README.md" in known:
            return os.path.relpath(target / "README.md", page.parent) + found[2]
        if not target.exists():
            raise SystemExit(f"{page.relative_to(ROOT)} links to {found[1]}, which does not exist")
        return f"{repository}/blob/main/{target.relative_to(ROOT).as_posix()}"

    return LINK.sub(resolve, page.read_text(encoding="utf-8"))


def main() -> None:
    target = Path(sys.argv[1])
    source = target / "source"
    shutil.rmtree(target, ignore_errors=True)
    source.mkdir(parents=True)
    (address,) = re.findall(r"^repository: (\S+)", (ROOT / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    known = set(pages())
    for page in known:
        copy = source / page.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(linked(page, known, address), encoding="utf-8")
    shutil.copytree(ROOT / "docs" / "images", source / "docs" / "images")
    place = source / FIRST.relative_to(ROOT)
    first = place.read_text(encoding="utf-8")
    place.unlink()
    trees = [
        f"```{{toctree}}\n:hidden:\n:glob:\n:maxdepth: 1\n:caption: {title}\n\n" + "\n".join(names) + "\n```\n"
        for title, names in CONTENTS
    ]
    first = LINK.sub(lambda found: f"docs/{found[0]}" if not found[1].startswith("http") else found[0], first)
    (source / "index.md").write_text(first + "\n" + "\n".join(trees), encoding="utf-8")
    for name in ("conf.py", "narrow.css"):
        shutil.copy(Path(__file__).with_name(name), source)
    (source / "reference").mkdir()
    reference = [
        "antsibull-docs",
        "collection",
        "--use-current",
        "--squash-hierarchy",
        "--no-add-antsibull-docs-version",
    ]
    subprocess.run([*reference, "--fail-on-error", "--dest-dir", str(source / "reference"), "day2.ops"], check=True)
    for page in (source / "reference").rglob("*.rst"):
        page.write_text(OWN_CONTENTS.sub("", page.read_text(encoding="utf-8")), encoding="utf-8")
    subprocess.run(["sphinx-build", "-q", "-n", "-W", "--keep-going", str(source), str(target / "html")], check=True)
    print(f"The site is in {target / 'html'}: open index.html.")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as exc:
        raise SystemExit(f"{exc.cmd[0]} failed: see above") from exc
