#!/usr/bin/env bash
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# bucket.sh ADDRESS...: a server that speaks S3 with the bucket "fleet", on the loopback interface of this machine and, through
# tunnels, on port 9000 of that of each host. All of it ends once the lab is gone.

# shellcheck source=dev/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../../../dev/lib.sh"

state=$DAY2_LAB_STATE
trap 'trap "" TERM; kill -- -$$' EXIT

tunnel() {
  while [[ -d $state ]]; do
    ssh -i "$state/id_ed25519" -o UserKnownHostsFile="$state/known_hosts" -o BatchMode=yes -o ConnectTimeout=5 \
      -o ExitOnForwardFailure=yes -o ServerAliveInterval=5 -N -R "127.0.0.1:9000:127.0.0.1:$port" "deploy@$1" || :
    sleep 1
  done
}

need_s3_server
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
GATEWAY_PORT=$port BIND_HOST=127.0.0.1 SERVICES=s3 MINISTACK_REGION=eu-central-1 "$ROOT/.venv/s3-server/bin/ministack" &
server=$!
until curl --silent --fail --output /dev/null --request PUT "http://127.0.0.1:$port/fleet"; do
  kill -0 "$server"
  sleep .5
done
for address in "$@"; do
  tunnel "$address" &
done
while [[ -d $state ]] && kill -0 "$server"; do
  sleep 1
done
