# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The steps of "make test", one function each. Sourced by dev/run.
# shellcheck shell=bash disable=SC2034  # names are used by what sources this

# Three rows run in parallel. Each begins with steps that must follow each other: those that fail soonest; those that change
# this machine; those that need the lab. A row that is done takes the next of the other steps, of which the longest come first.
PYTEST_STEPS=(ruff mypy imports shellcheck reuse schemas docs changelog unit-node-oldest)
PLAYBOOK_STEPS=(integration-oldest integration-newest)
FLEET_STEPS=(lab molecule-core)
OTHER_STEPS=(unit-node-newest faults awx sanity ansible-lint sanity-oldest unit-oldest unit-newest galaxy)
ALL_STEPS=(setup "${PYTEST_STEPS[@]}" "${PLAYBOOK_STEPS[@]}" "${FLEET_STEPS[@]}" "${OTHER_STEPS[@]}")

NEWEST=$ROOT/.venv/newest/bin
OLDEST=$ROOT/.venv/oldest/bin
# Programs that only the tests use.
TEST_PROGRAMS=(
  git=git zstd=zstd age=age ssh-keygen=openssh-client xz=xz-utils faketime=faketime sqlite3=sqlite3 pg_ctlcluster=postgresql mkfs.ext4=e2fsprogs mount=mount
  java=default-jre-headless promtool=prometheus ceph-mon=ceph-mon ceph-osd=ceph-osd radosgw=radosgw ceph=ceph-common
  rclone=rclone restic=restic sshd=openssh-server ssh-keygen=openssh-client
  nginx=nginx rsyslogd=rsyslog openssl=openssl dnsmasq=dnsmasq-base redis-server=redis-server virsh=libvirt-clients
  dockerd=docker.io podman=podman runc=runc busybox=busybox-static ping=iputils-ping
  mariadbd=mariadb-server pgbackrest=pgbackrest stunnel4=stunnel4 slapadd=slapd redis-cli=redis-tools
  curl=curl jq=jq ip=iproute2 useradd=passwd /usr/lib/nagios/plugins/check_dummy=monitoring-plugins-basic
  /usr/share/proj/proj.db=proj-data /usr/share/iso-codes/json=iso-codes
)

# Only Debian has it as a package. Elsewhere, the test that needs it says so.
need_browser() {
  # shellcheck source=/dev/null
  [[ $(. /etc/os-release && echo "$ID") != debian ]] || need_programs chromium-headless-shell=chromium-headless-shell
}

step_setup() {
  need_programs "${TEST_PROGRAMS[@]}"
  need_browser
  # Its many packages take longer than all other environments together.
  need_newest_controller &
  need_oldest_controller
  need_node "$(node_python oldest)"
  need_node "$(node_python newest)"
  need_s3_server
  need_npm
  wait $!
  need_collection
  need_awx
}

# Tools find each other (ansible-lint calls ansible-playbook) on PATH.
newest() {
  need_newest_controller
  need_collection
  PATH=$NEWEST:$PATH "$@"
}

oldest() {
  need_oldest_controller
  need_collection
  PATH=$OLDEST:$PATH "$@"
}

step_ruff() {
  newest ruff check .
  newest ruff format --check .
}

# Not part of "make test": corrects what the step "ruff" finds.
step_format() {
  newest ruff check --fix-only .
  newest ruff format .
}

step_mypy() {
  newest mypy
}

step_imports() {
  PYTHONPATH=$COLLECTIONS newest lint-imports --no-cache
}

step_shellcheck() {
  local scripts
  # Templates become scripts only when they are filled in.
  mapfile -t scripts < <(git grep -lIE --untracked '^#!.*\b(ba)?sh$|^# shellcheck shell=' -- ':!*.j2')
  newest shellcheck -x "${scripts[@]}"
}

step_reuse() {
  newest reuse lint --lines
}

# Files of other programs, against what these publish.
step_schemas() {
  newest check-jsonschema --builtin-schema vendor.compose-spec containers/compose/*.yml
  newest check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
  newest check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/{bug,wish}.yml
  newest kubernetes-validate --strict --quiet containers/kubernetes/*/*.yml
}

step_docs() {
  newest antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck --validate-collection-refs self .
}

# Not part of "make test": the manual as a site, with all its links checked, looked at in a browser.
step_docs_site() {
  need_browser
  # shellcheck disable=SC2086  # a list of versions
  venv docs docs.txt $NEWEST_CONTROLLER
  need_collection
  ANSIBLE_COLLECTIONS_PATH=$COLLECTIONS PATH=$ROOT/.venv/docs/bin:$PATH python dev/site/build.py "$CACHE/site"
  if command -v chromium-headless-shell chrome-headless-shell >/dev/null; then
    "$ROOT/.venv/docs/bin/python" dev/site/look.py "$CACHE/site/html"
  else
    note_not_run "a look at the site in a browser (chromium-headless-shell is missing)"
  fi
}

step_changelog() {
  newest antsibull-changelog lint
}

step_ansible_lint() {
  newest python dev/lint.py
}

# Not part of "make test", which runs all of them: the unit tests that are affected by what differs from BASE, which is by
# default the last commit, or without uncommitted changes the one before it.
step_affected() {
  local base=${BASE:-HEAD}
  [[ -n ${BASE:-} || -n $(git status --porcelain) ]] || base=HEAD~1
  need_programs "${TEST_PROGRAMS[@]}"
  need_s3_server
  need_npm
  need_browser
  newest python dev/affected_tests.py "$base" 100 -q -n auto
}

# Not part of "make test": steps that take hours.

# Property tests with twenty times the examples and all combinations of grids, then faults with twenty times the kills and at every step.
step_soak_properties() {
  need_programs "${TEST_PROGRAMS[@]}"
  need_node "$(node_python newest)"
  need_s3_server
  need_npm
  need_collection
  EXAMPLES=${EXAMPLES:-20} "$ROOT/.venv/node-$(node_python newest)/bin/python" -m pytest -n auto -m "hypothesis or grid" tests/unit/module_utils
  EXAMPLES=${EXAMPLES:-20} "$ROOT/.venv/node-$(node_python newest)/bin/python" -m pytest -n auto tests/faults
}

# Mutants (dev/soak.py), in copies of the clone.
step_soak_mutants() {
  local trees=() number
  need_programs "${TEST_PROGRAMS[@]}"
  need_s3_server
  need_npm
  # Python 3.12 was the first that can report which lines a test runs.
  venv soak soak.txt 3.13 3.12 3.14
  mkdir -p "$CACHE/soak"
  # Two runs must not change the same trees. The lock is held until the last process of a run has ended.
  exec 9>"$CACHE/soak/lock"
  flock --nonblock 9 || die "another run makes mutants here; wait for it, or end it (kill -KILL, unshare ignores others)"
  for number in $(seq "${JOBS:-$(nproc)}"); do
    copy_tree "$CACHE/soak/tree-$number"
    trees+=("$CACHE/soak/tree-$number")
  done
  # The examples that CI uses, the same each time, so that the result for a mutant does not vary.
  CI=1 dev/apart "$CACHE/soak" "$ROOT/.venv/soak/bin/python" dev/soak.py "$CACHE/soak" "${trees[@]}"
}

# Two Pythons share out the tests that need not run on both (tests/conftest.py); where there is only one, it runs all.
step_unit_node_oldest() {
  local share=(--share 0)
  [[ $(node_python newest) != "$(node_python oldest)" ]] || share=()
  pytest_on_node "$(node_python oldest)" tests/unit/module_utils "${share[@]}"
}

step_unit_node_newest() {
  if [[ $(node_python newest) == "$(node_python oldest)" ]]; then
    note_not_run "unit tests on a second Python (only $(node_python oldest) is here)"
  else
    pytest_on_node "$(node_python newest)" tests/unit/module_utils --share 1
  fi
}

# Not part of "make test": all unit tests on another Python of managed nodes (NODE=3.11).
step_unit_node() { pytest_on_node "${NODE:?is not set: which Python?}" tests/unit/module_utils; }

# Crashes, full disks and flipped bits: slow, and the same on every Python.
step_faults() { pytest_on_node "$(node_python oldest)" tests/faults; }

# The templates of AWX, run as AWX runs them: by ansible-runner, some jobs with each ansible-core.
step_awx() {
  need_programs zstd=zstd age=age sqlite3=sqlite3
  need_oldest_controller
  need_awx
  newest python -m pytest -n auto tests/awx
}

# Managed nodes have no ansible-core, so their code is tested without it.
pytest_on_node() {
  need_programs "${TEST_PROGRAMS[@]}"
  need_node "$1"
  need_s3_server
  need_npm
  need_collection
  local place status=0
  # Of its own: steps run side by side, and pytest makes the one that it shares between runs private again each time.
  place=$(mktemp -d)
  # A worker keeps to its half of the list as long as it has tests, so that fewer workers start the same servers.
  "$ROOT/.venv/node-$1/bin/python" -m pytest -n auto --dist worksteal --basetemp "$place" "${@:2}" || status=$?
  rm -rf "$place"
  return "$status"
}

step_unit_oldest() {
  need_browser
  need_npm
  oldest python -m pytest -n auto tests/unit --ignore tests/unit/module_utils --share 0
}

step_unit_newest() {
  need_browser
  need_npm
  newest python -m pytest -n auto tests/unit --ignore tests/unit/module_utils --share 1
}

step_integration_oldest() { integration oldest "$(node_python oldest)" 0; }
step_integration_newest() { integration newest "$(node_python newest)" 1; }

# targets_of SHARE: what one of two ansible-cores runs. Both run filters, and two roles that rescue a failure and say which it
# was, as what they read then is not the same in all releases; others read the same (store_migration), or less (lifecycle). The
# newest runs these and the playbooks, which the templates of AWX run on the oldest (tests/awx). Modules hold no logic, and all
# of them meet ansible-core in _module_run.py: on the newest, the examples run each of them, and pitr the one that has no example.
# Their targets run on the oldest, with which a task takes three fifths of the processor time.
targets_of() {
  local path name
  for path in tests/integration/targets/*/; do
    name=$(basename "$path")
    case $name in
      setup_*) continue ;;
      roles_nothing | filters | role_store_backup | role_store_restore) printf '%s\n' "$name" ;;
      playbooks | role_* | examples | pitr) [[ $1 -ne 1 ]] || printf '%s\n' "$name" ;;
      *) [[ $1 -ne 0 ]] || printf '%s\n' "$name" ;;
    esac
  done
}

# integration CONTROLLER NODE-PYTHON SHARE: the targets of its share (or those in TARGETS), on this machine, in a copy that looks
# like a collection.
integration() {
  local tree=$CACHE/integration-$1/ansible_collections/day2/ops targets=()
  read -ra targets <<<"${TARGETS:-}"
  [[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <(targets_of "$3")
  printf 'targets: %s\n' "${targets[*]}"
  need_programs "${TEST_PROGRAMS[@]}"
  # Some targets use the libraries of all stores, and a server that speaks S3.
  need_node "$(node_python newest)"
  need_s3_server
  need_npm
  ansible_test_setup "$1" "$tree"
  build_once "$CACHE/built-$1"
  printf 'callback_plugins = %s\n' "$CACHE/built-$1" >>"$tree/tests/integration/integration.cfg"
  ansible_test "$1" "$tree" integration --allow-destructive --allow-root --continue-on-error \
    --controller origin:python=default --target "controller:python=$2@$(compiling_once "$1" "$2")" "${targets[@]}"
}

# compiling_once CONTROLLER NODE-PYTHON: the path of that Python, which does not compile again what each task brings in an archive.
# Beside it is the one with the libraries of all stores (setup_applications/files/node_python.sh).
compiling_once() {
  local python=$ROOT/.venv/$1/bin/python place=$CACHE/compiled-$1
  # As ansible-test does: the controller's own, if it is of that version.
  [[ $("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') == "$2" ]] || python=$(find_python "$2")
  rm -rf "$place"
  mkdir -p "$place"
  compiling_in "$place" "$python" "$place/python$2"
  compiling_in "$place" "$ROOT/.venv/node-$(node_python newest)/bin/python" "$place/node-python"
  printf '%s\n' "$place/python$2"
}

# compiling_in DIRECTORY PYTHON SCRIPT: writes a script that runs a Python which keeps there what it has compiled.
compiling_in() {
  cat >"$3" <<END
#!/bin/sh
COMPILE_ONCE="$1" PYTHONPATH="$ROOT/dev/compile_once\${PYTHONPATH:+:\$PYTHONPATH}" exec "$2" "\$@"
END
  chmod +x "$3"
}

# Scenarios of roles on their own hosts: all of them take many minutes, so only roles that change data are part of "make test".
# That of store_restore begins with backups of the same hosts.
MOLECULE_CORE=(store_restore log_rotation)

step_molecule() {
  local files=("$ROOT"/extensions/molecule/*/molecule.yml) scenarios=() file
  for file in "${files[@]}"; do
    scenarios+=("$(basename "${file%/molecule.yml}")")
  done
  scenarios "${scenarios[@]/default/}"
}

# Their roles run on the newest ansible-core in the integration tests.
step_molecule_core() { MOLECULE_ANSIBLE=oldest scenarios "${MOLECULE_CORE[@]}"; }

# scenarios NAME...: all of them, whatever fails.
scenarios() {
  local name start broken=() times=()
  export DAY2_BUILT=$CACHE/molecule/built
  build_once "$DAY2_BUILT"
  for name in "$@"; do
    [[ -n $name ]] || continue
    start=$SECONDS
    "$ROOT/dev/molecule" "$name" test || broken+=("$name")
    times+=("$name $((SECONDS - start)) s")
  done
  printf 'scenarios: %s\n' "$(IFS=';' && echo "${times[*]}")"
  [[ ${#broken[@]} -eq 0 ]] || die "scenarios failed: ${broken[*]}"
}

# The messages of dev/lab where it can't work, and that a run leaves nothing behind.
step_lab() { "$ROOT/dev/lab-test"; }

# Imports take most of the time: on the oldest and the newest Python, and not on all that are here.
step_sanity() {
  local python
  sanity newest --skip-test import
  for python in $(printf '%s\n' "$(node_python oldest)" "$(node_python newest)" | sort -u); do
    ansible_test newest "$(sanity_tree newest)" sanity --test import --python "$python"
  done
}

# The rest of what the oldest controller would check is checked by the newest.
step_sanity_oldest() { sanity oldest --test validate-modules; }

sanity_tree() { printf '%s\n' "$CACHE/sanity-$1/ansible_collections/day2/ops"; }

sanity() {
  local name=$1 tree
  tree=$(sanity_tree "$1")
  shift
  ! compgen -G "tests/sanity/ignore*" || die "mend what sanity finds instead of ignoring it"
  ansible_test_setup "$name" "$tree"
  # What is published, and what runs it; the rest is ruff's and mypy's.
  rm -rf "${tree:?}"/{bench,demo,dev} "${tree:?}"/tests/{faults,services,unit}
  "$ROOT/.venv/$name/bin/python" dev/seed_get_pip.py
  ansible_test "$name" "$tree" sanity "$@"
}

ansible_test_setup() {
  need_programs git=git
  need_newest_controller
  "need_${1}_controller"
  copy_tree "$2"
  # ansible-test asks git which files there are; without a repository here it would ask that of the clone.
  git -C "$2" init --quiet
  git -C "$2" add --all
  need_real_pythons
}

# ansible_test CONTROLLER TREE ARGUMENT...
ansible_test() (
  path=$ROOT/.venv/$1/bin:$CACHE/bin:$NEWEST:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  cd "$2" || exit
  shift 2
  PATH=$path ansible-test "$@" --color no
)

# The collection as it would be published, imported as Galaxy does, and installed.
step_galaxy() {
  local dist=$CACHE/dist
  rm -rf "$dist"
  copy_tree "$dist/source"
  build_tarball "$dist/source" "$dist"
  verify_tarball "$dist"/day2-ops-*.tar.gz
}

# Not part of "make test": the tarball of the version that galaxy.yml names, from what is committed.
step_release() {
  local dist=$CACHE/release version number
  need_programs git=git
  need_newest_controller
  need_collection
  version=$(sed -n 's/^version: //p' "$ROOT/galaxy.yml")
  if compgen -G "$ROOT/changelogs/fragments/*.yml" >/dev/null; then
    # Until it is published, a version takes up what is new.
    newest antsibull-changelog release --update-existing --cummulative-release
    die "the changelog of $version was written: read it, commit it, and run this again"
  fi
  newest antsibull-changelog lint
  grep -q "^  $version:" "$ROOT/changelogs/changelog.yaml" ||
    die "changelogs/changelog.yaml has no version $version: set version in galaxy.yml and plugins/module_utils/_core/version.py with the fragments"
  [[ -z $(git -C "$ROOT" status --porcelain) ]] || die "there are changes that are not committed"

  rm -rf "$dist"
  for number in 1 2; do
    git clone --quiet --no-hardlinks "$ROOT" "$dist/clone-$number"
    build_tarball "$dist/clone-$number" "$dist/built-$number"
  done
  cmp "$dist"/built-[12]/day2-ops-"$version".tar.gz || die "two clones do not build the same tarball"
  verify_tarball "$dist/built-1/day2-ops-$version.tar.gz"
  ! grep -q '^repository: https://example\.' "$ROOT/galaxy.yml" ||
    say "galaxy.yml has no real addresses yet: set repository, documentation, homepage and issues before publishing"
  mv "$dist/built-1/day2-ops-$version.tar.gz" "$dist"
  rm -rf "$dist"/clone-[12] "$dist"/built-[12]
  (cd "$dist" && sha256sum "day2-ops-$version.tar.gz")
  echo "To publish it: git tag $version && ansible-galaxy collection publish $dist/day2-ops-$version.tar.gz"
}

# build_tarball SOURCE DESTINATION: the same bytes for the same commit.
build_tarball() {
  newest ansible-galaxy collection build --output-path "$2" "$1" >/dev/null
  newest python "$ROOT/dev/reproducible.py" "$2"/day2-ops-*.tar.gz "${SOURCE_DATE_EPOCH:-$(git -C "$ROOT" log -1 --format=%ct)}"
}

# verify_tarball TARBALL: imports it as Galaxy does, installs it beside it, and runs each module.
verify_tarball() (
  tarball=$1 dist=$(dirname "$1")
  echo "$tarball holds $(tar -tzf "$tarball" | grep -vc '/$') files"

  # The importer's exit status is that of the upload; what it found is in its log.
  (cd "$dist" && GALAXY_IMPORTER_CONFIG=$ROOT/dev/galaxy-importer.cfg newest python -m galaxy_importer.main "$tarball") |
    tee "$dist/importer.log"
  ! grep -qE '^(WARNING|ERROR)' "$dist/importer.log" || die "galaxy-importer found something: see above"

  # Only what is in the tarball may be found from here on.
  export ANSIBLE_COLLECTIONS_PATH=$dist/installed
  cd "$dist" || exit
  newest ansible-galaxy collection install --offline --collections-path installed "$tarball" >/dev/null
  for module in installed/ansible_collections/day2/ops/plugins/modules/[!_]*.py; do
    # Without arguments a module that is found, and bundled whole, says which it needs.
    module=day2.ops.$(basename "$module" .py)
    printf -- '- name: %s is found and runs\n  %s:\n  register: said\n  failed_when: said is failed and %s\n' "$module" "$module" \
      "said.msg is not search('missing required|one of the following is required')"
  done >tasks.yml
  printf -- '- hosts: localhost\n  gather_facts: false\n  tasks:\n    - import_tasks: tasks.yml\n' >modules.yml
  newest ansible-playbook --check modules.yml
)
