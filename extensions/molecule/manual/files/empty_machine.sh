#!/usr/bin/env bash
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# empty_machine.sh TREE WORK TARBALL PAGE...: types pages of the manual from their first line on, which installs what they need,
# each as a user who may use sudo on a Debian machine of its own: a layer over TREE, in WORK. TARBALL is the collection, as Galaxy
# does not have it.
set -euo pipefail

follow() {
  local tree=$1 work=$2 tarball=$3 page=$4 root=$2/root project known=()
  project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd)
  mount -t overlay empty "$root" -o "lowerdir=$tree,upperdir=$work/upper,workdir=$work/work,volatile"
  mkdir -p "$root"/mnt/{project,collection}
  mount --bind -o ro "$project" "$root/mnt/project"
  mount --bind -o ro "$(dirname "$tarball")" "$root/mnt/collection"
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  # How this machine reaches archives of packages.
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/mnt/certificates.crt"
  mapfile -t known < <(env | grep -iE '^(https?_proxy|no_proxy|PIP_INDEX_URL)=')
  chroot "$root" apt-get -q update
  start_database "$root"
  chroot "$root" runuser -u deploy -- env -i "${known[@]}" PIP_CERT=/mnt/certificates.crt USER=deploy LANG=C.UTF-8 \
    PATH=/usr/local/bin:/usr/bin:/bin python3 /mnt/project/tests/integration/targets/manual/files/manual.py --from-nothing \
    --home /home/deploy --instead "install day2.ops=install /mnt/collection/$(basename "$tarball")" "$page"
}

# A server that apt-get installs runs; but TREE has the packages of PostgreSQL already, and nothing starts in a layer of files.
start_database() {
  local configuration
  for configuration in "$1"/etc/postgresql/*/main; do
    # Other machines of this test use the same addresses.
    echo "listen_addresses = ''" >"$configuration/conf.d/alone.conf"
    chroot "$1" pg_ctlcluster "$(basename "$(dirname "$configuration")")" main start
  done
}

if [[ ${1:-} == --inside ]]; then
  follow "${@:2}"
  exit
fi
for page in "${@:4}"; do
  rm -rf --one-file-system "$2"
  # Not with its parent, which is gone if the lab was brought down meanwhile.
  mkdir "$2" "$2"/{upper,work,root}
  unshare --mount --pid --fork --kill-child=KILL "${BASH_SOURCE[0]}" --inside "${@:1:3}" "$page"
done
