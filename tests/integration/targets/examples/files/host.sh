#!/usr/bin/env bash
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# A host that ends with this process: this machine's files below a writable layer in memory, loopback, and processes of its own.

set -euo pipefail
files=$(cd "$(dirname "$0")" && pwd)

mount --make-rprivate /
layer=$(mktemp -d)
trap 'umount --recursive --lazy "$layer" && rmdir "$layer"' EXIT
mount -t tmpfs tmpfs "$layer"
mkdir "$layer/upper" "$layer/work" "$layer/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$layer/root"
mount --rbind /dev "$layer/root/dev"
mount -t proc proc "$layer/root/proc"
mount -t sysfs -o ro sysfs "$layer/root/sys"
mount -t tmpfs tmpfs "$layer/root/run"
ip link set lo up

# In place, logs are rotated on file systems that can cut the front off a file.
truncate -s 64M "$layer/logs"
mkfs.ext4 -q -F "$layer/logs"
mkdir -p "$layer/root/var/log/hawkfish"
mount -o loop "$layer/logs" "$layer/root/var/log/hawkfish"

chroot "$layer/root" bash "$files/run.sh" "$files"
