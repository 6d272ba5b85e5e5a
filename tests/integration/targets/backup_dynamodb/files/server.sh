#!/usr/bin/env bash
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# server.sh start DIRECTORY|stop DIRECTORY: a server of the tests that speaks as AWS, on loopback; start prints its URL.
# server.sh export DIRECTORY URL PYTHON: what writes exports of DynamoDB, in front of that server; prints its URL.
set -euo pipefail
place=$2
if [[ $1 == stop ]]; then
  cat "$place"/pid* | xargs kill
  exit
fi
directory=$(cd "$(dirname "$0")" && pwd)
until [[ -e $directory/galaxy.yml ]]; do
  directory=$(dirname "$directory")
done
cd "$directory"
port=$(python3 -c 'from tests.services.local import free_ports; print(*free_ports(1))')

answers() { # PID-FILE: waits until a server listens, and prints its URL
  for _try in {1..600}; do
    # shellcheck disable=SC2188
    if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "http://127.0.0.1:$port"
      exit
    fi
    kill -0 "$(cat "$1")"
    sleep 0.1
  done
  exit 1
}

if [[ $1 == export ]]; then
  nohup "$4" -m tests.services.exporting_proxy "$port" "${3##*:}" 3600 >"$place/exports.log" 2>&1 </dev/null &
  echo $! >"$place/pid-exports"
  answers "$place/pid-exports"
fi
until [[ -x $directory/.venv/s3-server/bin/ministack ]]; do
  [[ $directory != / ]] || {
    echo "The server is missing. Install it with: dev/run setup" >&2
    exit 1
  }
  directory=$(dirname "$directory")
done
mkdir "$place"
cd "$place"
GATEWAY_PORT=$port BIND_HOST=127.0.0.1 SERVICES=dynamodb,ssm,kms,s3 MINISTACK_REGION=eu-central-1 \
  nohup "$directory/.venv/s3-server/bin/ministack" >log 2>&1 </dev/null &
echo $! >pid
answers pid
