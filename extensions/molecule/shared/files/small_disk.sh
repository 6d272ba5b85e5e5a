#!/bin/sh
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# small_disk.sh DIRECTORY SIZE: give a directory a file system of its own, with what is in it.
set -eu
aside=$(mktemp -d)
cp -a "$1/." "$aside"
mount -t tmpfs -o "size=$2" tmpfs "$1"
cp -a "$aside/." "$1"
rm -rf "$aside"
