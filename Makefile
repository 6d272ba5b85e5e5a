# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Every target sets up what it needs, once. A step of "make test" is a target of its own.

STEPS := setup ruff mypy imports shellcheck reuse schemas changelog ansible-lint \
	unit-node-oldest unit-node-newest unit-oldest unit-newest faults awx \
	integration-oldest integration-newest lab molecule-core sanity sanity-oldest galaxy

.PHONY: help docs docs-site release check demo test soak bench lint unit integration molecule format clean $(STEPS)

help: ## Show what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22
	@echo "Single steps of 'make test': $(STEPS)"

demo: ## Back up and restore the data of two example applications on this machine
	@dev/with ansible-playbook demo/demo.yml

check: ## What to run all the time: lint, types, and the unit tests that a change touches (BASE=main: since then)
	@dev/run ruff mypy imports affected

test: ## Everything that CI runs
	@dev/run all

soak: ## What takes hours: many examples, mutants (FILES="_core/*" SAMPLE=300 SEED=1 MINUTES=120; goes on where it stopped)
	@dev/run soak-properties soak-mutants

bench: ## Measure against peers (BENCH="backup": only these; --small: a tenth of the data)
	@dev/with bench/run $(BENCH)

lint: ## Only what reads the code: seconds, not minutes
	@dev/run ruff mypy imports shellcheck reuse schemas docs changelog ansible-lint

unit: ## Unit tests on the oldest and newest Python and ansible-core
	@dev/run unit-node-oldest unit-node-newest unit-oldest unit-newest

integration: ## Integration targets (TARGETS="backup restore": only these)
	@dev/run integration-oldest integration-newest

molecule: ## All roles on hosts of their own (as root; one of them: dev/molecule store_backup test)
	@dev/run molecule

$(STEPS):
	@dev/run $@

docs: ## Write the documentation that is generated from the code, and check all of it
	@dev/with python dev/option_docs.py
	@dev/with python dev/health_tables.py
	@dev/run docs

docs-site: ## The manual as a site, in .cache/site/html: all links checked, each page looked at in a browser
	@dev/run docs-site

release: ## The tarball of the version in galaxy.yml, in .cache/release: its changelog, built twice, imported, installed
	@dev/run release

format: ## Format the Python code and mend what can be mended
	@dev/run format

clean: ## Remove everything that was set up or built here
	@[ ! -d .cache/lab ] || dev/lab down
	rm -rf .cache .venv .ansible .hypothesis
