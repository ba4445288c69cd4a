# `make help` lists the targets. Each makes the virtual environment it needs and works from then
# on without a network; ARGS goes to the command it runs.

SHELL := bash
PYTHON ?= python3
ARGS ?=
# Which benchmarks to run, by name: make bench BENCHES="click fair"
BENCHES ?= $(sort $(patsubst bench/bench_%.py,%,$(wildcard bench/bench_*.py)))
# How many tests run side by side: two for each processor, as many of them wait for other processes.
# Each takes a database of Redis, which has 16 unless told otherwise.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(2 * (os.cpu_count() or 1), 8))')
VENV := .venv/bin
RUN := $(VENV)/python
MANAGE := $(RUN) manage.py
# The embedded shape, whatever the caller's own shell is set up for.
EMBEDDED := env -u DATABASE_URL -u REDIS_URL
# A folder for whatever a run leaves behind, gone with it: two runs never meet. What its processes make
# once lies there too, unless the caller named a folder, or a server, which may not be ours to fill.
IN_SCRATCH = scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && export VAR_DIR="$$scratch" \
	HYPOTHESIS_STORAGE_DIRECTORY="$$scratch/hypothesis" && \
	{ [ -n "$$MADE_ONCE$$DATABASE_URL" ] || export MADE_ONCE="$$scratch/made-once"; } &&
PYTEST := $(RUN) -m pytest --basetemp="$$scratch/tmp"
# A server like any other, invented: nothing is connected to.
SERVER := env DATABASE_URL=postgres://link:invented@db.invalid/link REDIS_URL=redis://redis.invalid \
	SECRET_KEY=invented-for-the-deploy-check-and-for-nothing-else-at-all \
	CREDENTIAL_KEYS=aW52ZW50ZWQtZm9yLXRoZS1kZXBsb3ktY2hlY2stMzI= SITE_URL=https://link.example

.PHONY: help demo test check format test-services test-browser bench faults preflight-report lock \
	runtime dev

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: runtime ## send a practice's invoices to a rehearsal Xero, then serve (ARGS=--once: only send)
	@$(EMBEDDED) $(MANAGE) demo $(ARGS)

test: dev ## the tests, on SQLite
	@$(IN_SCRATCH) $(EMBEDDED) $(PYTEST) -n $(WORKERS) -m "not browser and not services" $(ARGS)

check: dev ## style, types, import directions, migrations, deployment, locks
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(RUN) requirements/lock.py --check
	$(VENV)/lint-imports
	@$(IN_SCRATCH) (set -x; $(EMBEDDED) $(RUN) -m mypy .)
	@$(IN_SCRATCH) (set -x; $(EMBEDDED) $(MANAGE) makemigrations --check --dry-run)
	@$(IN_SCRATCH) (set -x; $(SERVER) $(MANAGE) check --deploy --fail-level WARNING)

format: dev ## put the code in the house style
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

# What knows nothing of a database or of Redis was tried by `make test`; so were the tests of the
# checker itself, and the corpora of what packages refuse.
WITHOUT_SERVICES := tests/connectors tests/packages tests/requirements tests/faults/test_checker.py \
	tests/preflight/test_corpus.py tests/preflight/test_judged.py tests/preflight/test_rules.py

test-services: dev ## the tests on PostgreSQL and Redis: .ci/services make test-services
	@test -n "$$DATABASE_URL" -a -n "$$REDIS_URL" || { \
		echo "Set DATABASE_URL and REDIS_URL, or run: .ci/services make test-services"; exit 2; }
	@$(IN_SCRATCH) $(PYTEST) -n $(WORKERS) -m "not browser" \
		$(WITHOUT_SERVICES:%=--ignore=%) $(ARGS)

test-browser: dev ## the pages in the system's Chromium
	@$(IN_SCRATCH) $(EMBEDDED) $(PYTEST) -n auto -m browser $(ARGS)

bench: dev ## the ratios the product is held to, one line of JSON each (ARGS=--quick, BENCHES=some)
	@$(IN_SCRATCH) missed=0; for script in $(BENCHES:%=bench/bench_%.py); do \
		PYTHONPATH=. $(RUN) "$$script" $(ARGS) || missed=1; done; exit $$missed

faults: dev ## a minute of random kills, cuts and repeats, then the count (SEED= SECONDS=)
	@$(IN_SCRATCH) $(RUN) -m tests.faults.driver $(if $(SEED),--seed $(SEED)) \
		$(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

preflight-report: dev ## of what each package refuses, how much is caught before it is sent
	@$(IN_SCRATCH) $(EMBEDDED) $(RUN) -m tests.preflight.report $(ARGS)

lock: ## pin all packages again with hashes (ARGS=--upgrade: the newest allowed)
	$(PYTHON) requirements/lock.py $(ARGS)

runtime dev:
	@$(PYTHON) requirements/install.py $@
