#!/bin/sh
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# recover.sh REPOSITORY SET FILE KIND: what somebody without this collection does in an emergency. Checks every backup of the
# set against its checksums, unpacks FILE of the newest, and prints how many requests the application finds in it.
set -eu
cd "$1/$2"
for left in .staging-* .removing-*; do
  [ ! -e "$left" ] || { echo "a run has left $1/$2/$left behind" >&2 && exit 1; }
done
newest=
for backup in 2*/; do
  (cd "$backup" && sha256sum --check --quiet --strict SHA256SUMS)
  if grep -q '"kind": "backup"' "$backup/manifest.json"; then newest=$backup; fi
done
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
case $3 in
  *.tar) zstd -dcq "$newest/data/$3.zst" | tar -C "$place" -xpf - && found=$place ;;
  *) found=$place/store && zstd -dq "$newest/data/$3.zst" -o "$found" ;;
esac
application count "$4" "$found"
