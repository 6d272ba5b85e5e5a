#!/bin/sh
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Makes an archive for apt of the packages that were downloaded into the host's tree: hosts reach no other.
set -eu
cd /var/cache/apt/archives
for package in *.deb; do
  dpkg-deb --field "$package"
  printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$package" "$(stat -c %s "$package")" "$(sha256sum <"$package" | cut -d ' ' -f 1)"
done >Packages
echo 'deb [trusted=yes] file:/var/cache/apt/archives ./' >/etc/apt/sources.list
apt-get update
