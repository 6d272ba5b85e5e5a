# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Installs what is missing: programs, interpreters, virtual environments.
# shellcheck shell=bash disable=SC2034  # names are used by what sources this

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=$ROOT/.cache
COLLECTIONS=$CACHE/collections
UV=$ROOT/.venv/uv/bin/uv
# The Pythons of managed nodes and of controllers in order of preference. The first one that is installed is used. CI must have
# the first of each list; elsewhere, dev/run lists at its end what it could not run.
OLDEST_NODES="3.9 3.10 3.11 3.12 3.13 3.14"
NEWEST_NODES="3.13 3.14 3.12 3.11 3.10 3.9"
OLDEST_CONTROLLER="3.11 3.12 3.13"
# ansible-core 2.21 needs one of the first three; an older Python gets the newest ansible-core that it takes.
NEWEST_CONTROLLER="3.13 3.12 3.14"
NEWEST_CONTROLLER_ELSE=3.11

export ANSIBLE_COLLECTIONS_PATH=$COLLECTIONS ANSIBLE_LOCALHOST_WARNING=False
export PIP_QUIET=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# Messages in English, and UTF-8, on every machine.
export LC_ALL=C.UTF-8
# For mkfs and others, if the user is not root.
PATH=$PATH:/usr/sbin:/sbin
# Ignore the virtual environment and module path of the caller.
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV
# Tests start many short processes, which would spend most of their time compiling the same modules.
unset PYTHONDONTWRITEBYTECODE
# Without a buffer, Python reads a module that comes through a pipe byte by byte.
unset PYTHONUNBUFFERED

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

say() {
  printf -- '--- %s\n' "$*" >&2
}

# need_programs PROGRAM-OR-FILE=PACKAGE...
need_programs() {
  local pair packages=()
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || [[ -e ${pair%%=*} ]] || packages+=("${pair#*=}")
  done
  [[ ${#packages[@]} -eq 0 ]] || install_packages "${packages[@]}"
}

install_packages() (
  sudo=() install=(apt-get install -y --no-install-recommends "$@")
  [[ $(id -u) -eq 0 ]] || sudo=(sudo -n)
  command -v apt-get >/dev/null || die "missing programs. Install the packages that hold them: $*"
  say "installing $*"
  # Environments are created in parallel, and apt-get does not wait for another apt-get.
  exec 8>"$(log_file apt-lock)"
  flock 8
  # Package lists may be absent or stale: they are fetched only when the first try fails.
  export DEBIAN_FRONTEND=noninteractive
  "${sudo[@]}" "${install[@]}" >"$(log_file apt)" 2>&1 && exit
  {
    "${sudo[@]}" apt-get update && "${sudo[@]}" "${install[@]}"
  } >>"$(log_file apt)" 2>&1 || {
    tail -n 5 "$(log_file apt)" >&2
    die "packages are missing. Install them with: sudo ${install[*]}"
  }
)

log_file() {
  mkdir -p "$CACHE/log"
  printf '%s/log/%s.log' "$CACHE" "$1"
}

# find_python VERSION: the path of a real interpreter (not a shim, not a virtual environment), if there is one.
find_python() {
  local candidate
  for candidate in "python$1" "$CACHE/python"/*/bin/"python$1" "$HOME/.pyenv/versions/$1".*/bin/"python$1" \
    "/usr/bin/python$1" "/usr/local/bin/python$1"; do
    "$candidate" -c '
import os, sys
assert "%d.%d" % sys.version_info[:2] == sys.argv[1]
print(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))' "$1" 2>/dev/null && return
  done
  return 1
}

# find_any_python VERSION...: the first that is there.
find_any_python() {
  local version
  for version in "$@"; do
    find_python "$version" && return
  done
  return 1
}

# need_python VERSION...: the first that is there, else the first of them is installed.
need_python() {
  find_any_python "$@" && return
  say "no Python $1 here: trying uv"
  need_uv
  UV_PYTHON_INSTALL_DIR=$CACHE/python "$UV" python install --no-bin "$1" >"$(log_file uv)" 2>&1 &&
    find_python "$1" && return
  tail -n 3 "$(log_file uv)" >&2
  die "Python $1 is missing. Install it with: pyenv install $1 (or: sudo apt-get install python$1 python$1-venv)"
}

# venv NAME REQUIREMENTS-FILE VERSION...: .venv/NAME, made anew whenever its requirements change.
venv() (
  dir=$ROOT/.venv/$1 name=$1 requirements=$2
  shift 2
  # unit.txt is part of most of the others.
  requirements=$(cd "$ROOT/requirements" && realpath "$requirements")
  stamp=$(cat "$ROOT/requirements/unit.txt" "$requirements" | sha256sum)
  mkdir -p "$ROOT/.venv"
  # Two runs in one clone must not build the same environment at once.
  exec 9>"$ROOT/.venv/.$name.lock"
  flock 9
  [[ ! -x $dir/bin/python || ! -f $dir/.stamp || $(<"$dir/.stamp") != "$stamp" ]] || exit 0
  python=$(need_python "$@")
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  say "making .venv/$name: ${requirements##*/} with Python $version"
  # Debian ships Python without what venv needs.
  "$python" -c 'import ensurepip, venv' 2>/dev/null || install_packages "python$version-venv"
  rm -rf "$dir"
  "$python" -m venv --without-pip "$dir"
  install_requirements "$dir" "$requirements" >"$(log_file "pip-$name")" 2>&1 || {
    tail -n 20 "$(log_file "pip-$name")" >&2
    die "pip could not install ${requirements##*/} into .venv/$name"
  }
  printf '%s\n' "$stamp" >"$dir/.stamp"
)

# install_requirements DIRECTORY FILE: with uv, which takes a fifth of pip's time. It does not read pip's configuration:
# where it can't reach an index, pip may. What is imported is compiled then: a quarter of the files.
install_requirements() {
  if [[ ${1##*/} != uv ]]; then
    need_uv
    "$UV" pip install --python "$1/bin/python" pip -r "$2" && return
  fi
  "$1/bin/python" -m ensurepip && "$1/bin/python" -m pip install -r "$2"
}

need_uv() {
  venv uv uv.txt 3.11 3.12 3.13 3.14 3.10 3.9
}

# Servers that tests start and only npm has: requirements/npm, in .cache/npm, made anew whenever that changes.
need_npm() (
  dir=$CACHE/npm
  stamp=$(cat "$ROOT"/requirements/npm/*.json | sha256sum)
  mkdir -p "$dir"
  exec 9>"$dir/.lock"
  flock 9
  [[ ! -f $dir/.stamp || $(<"$dir/.stamp") != "$stamp" ]] || exit 0
  need_programs npm=npm
  say "making .cache/npm: requirements/npm"
  cp "$ROOT"/requirements/npm/*.json "$dir"
  npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund >"$(log_file npm)" 2>&1 || {
    tail -n 20 "$(log_file npm)" >&2
    die "npm could not install requirements/npm into .cache/npm"
  }
  printf '%s\n' "$stamp" >"$dir/.stamp"
)

# The collection awx.awx of PyPI's ansible, in .cache/awx, made anew whenever requirements/awx.txt changes. The hundred other collections
# would take half a gigabyte, so the wheel is not installed.
need_awx() (
  dir=$CACHE/awx
  stamp=$(sha256sum <"$ROOT/requirements/awx.txt")
  mkdir -p "$dir"
  exec 9>"$dir/.lock"
  flock 9
  [[ ! -f $dir/.stamp || $(<"$dir/.stamp") != "$stamp" ]] || exit 0
  need_newest_controller
  say "making .cache/awx: requirements/awx.txt"
  rm -rf "$dir/ansible_collections" "$dir/wheel"
  # pip, as uv can't download without installing.
  "$ROOT/.venv/newest/bin/python" -m pip download --no-deps --no-cache-dir --only-binary :all: --dest "$dir/wheel" -r "$ROOT/requirements/awx.txt" \
    >"$(log_file pip-awx)" 2>&1 || {
    tail -n 20 "$(log_file pip-awx)" >&2
    die "pip could not download what is in requirements/awx.txt"
  }
  "$ROOT/.venv/newest/bin/python" - "$dir"/wheel/*.whl "$dir" <<'END'
import sys
import zipfile

with zipfile.ZipFile(sys.argv[1]) as wheel:
    wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if name.startswith("ansible_collections/awx/awx/")])
END
  rm -rf "$dir/wheel"
  printf '%s\n' "$stamp" >"$dir/.stamp"
)

need_oldest_controller() {
  # shellcheck disable=SC2086  # a list of versions
  venv oldest oldest.txt $OLDEST_CONTROLLER
}

need_newest_controller() {
  # shellcheck disable=SC2086  # lists of versions
  if [[ -n ${CI:-} ]] || find_any_python $NEWEST_CONTROLLER >/dev/null || ! find_any_python $NEWEST_CONTROLLER_ELSE >/dev/null; then
    venv newest newest.txt $NEWEST_CONTROLLER
  else
    note_not_run "ansible-core 2.21, and the pinned releases of the tools that read the code (Python 3.12 or newer is missing)"
    mkdir -p "$CACHE"
    # The newest release of each that this Python takes.
    sed 's/==.*//' "$ROOT/requirements/newest.txt" >"$CACHE/newest.txt"
    sed -i "s|^-r unit.txt|-r $ROOT/requirements/unit.txt|" "$CACHE/newest.txt"
    venv newest "$CACHE/newest.txt" $NEWEST_CONTROLLER_ELSE
  fi
}

need_s3_server() {
  # shellcheck disable=SC2086  # a list of versions
  venv s3-server s3-server.txt $OLDEST_CONTROLLER
}

need_node() {
  venv "node-$1" unit.txt "$1"
}

# node_python oldest|newest: the version that stands for it on this machine.
node_python() {
  local wanted version versions=$OLDEST_NODES
  [[ $1 == oldest ]] || versions=$NEWEST_NODES
  wanted=${versions%% *}
  for version in $versions; do
    if [[ $version == "$wanted" && -n ${CI:-} ]] || find_python "$version" >/dev/null; then
      [[ $version == "$wanted" ]] || note_not_run "Python $wanted on managed nodes ($version stands for it)"
      printf '%s\n' "$version"
      return
    fi
  done
  die "no Python 3.9 to 3.14 here. Install one with: sudo apt-get install python3 python3-venv"
}

# What a run omits is listed at its end, once.
NOT_RUN=$CACHE/log/not-run
note_not_run() {
  mkdir -p "${NOT_RUN%/*}"
  grep -qxFe "$1" "$NOT_RUN" 2>/dev/null || printf '%s\n' "$1" >>"$NOT_RUN"
}

# A directory of interpreters for PATH: shims of version managers exist also for versions that are not installed. What the
# oldest and the newest can import, those in between can, and sanity takes 25 seconds for each that it finds.
need_real_pythons() {
  local bin=$CACHE/bin version python oldest newest
  oldest=$(node_python oldest)
  newest=$(node_python newest)
  need_python "$oldest" >/dev/null
  need_python "$newest" >/dev/null
  mkdir -p "$bin"
  for version in 3.8 "$oldest" "$newest" 3.14; do
    python=$(find_python "$version") || continue
    ln -sfn "$python" "$bin/python$version"
  done
}

# The clone need not lie in ansible_collections/day2/ops: a link there makes it a collection.
need_collection() {
  local link=$COLLECTIONS/ansible_collections/day2/ops
  mkdir -p "${link%/*}"
  [[ $(readlink "$link") == "$ROOT" ]] || ln -sfn "$ROOT" "$link"
}

# build_once DIRECTORY: makes a directory of callback plugins; runs of ansible-playbook that have it share the archives of modules.
# Code that changes is not seen, so each series of runs begins with a new one.
build_once() {
  rm -rf "$1"
  mkdir -p "$1/archives"
  cp "$ROOT/dev/build_once.py" "$1"
}

# copy_tree DESTINATION: the files of the work tree that git knows or would add.
copy_tree() {
  need_programs git=git
  rm -rf "$1"
  mkdir -p "$1"
  git -C "$ROOT" ls-files -co --exclude-standard -z |
    while IFS= read -r -d '' file; do
      # Files that were deleted without a commit are still listed.
      [[ ! -e $ROOT/$file && ! -L $ROOT/$file ]] || printf '%s\0' "$file"
    done |
    tar -C "$ROOT" --null -T - -cf - | tar -C "$1" -xf -
}
