# Every command a newcomer, an operator or the CI needs; `make` alone lists them.
# Nothing but make and Python 3.11, 3.12 or 3.13 has to be there; PYTHON=… names another interpreter.

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell \
	$(name) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $(name))))
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

.DEFAULT_GOAL := help
.PHONY: install run test lint check bench drills schema docs lock help

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Nook Link needs Python 3.11, 3.12 or 3.13; none was found on PATH (PYTHON=… names one)." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) lacks its venv module; on Debian: apt-get install python3-venv." >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.installed: requirements.txt | .venv/bin/python
	$(PIP) -r requirements.txt
	@touch $@

.venv/.installed-dev: requirements-dev.txt .venv/.installed
	$(PIP) -r requirements-dev.txt
	@touch $@

install: .venv/.installed ## Make .venv and install the locked requirements

run: install ## Start everything: PostgreSQL, Valkey, web, live, worker, beat
	@exec $(BIN)/python manage.py up

test: .venv/.installed-dev ## Run the tests on real PostgreSQL and Valkey, a process per core
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 $(PYTEST_ARGS)

lint: .venv/.installed-dev ## Format check, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports --no-cache

check: lint ## Everything that CI runs: lint, migrations, schema, deploy check, tests, coverage
	@$(MAKE) --no-print-directory test PYTEST_ARGS="--cov --cov-report=term --cov-report=xml:var/coverage.xml $(PYTEST_ARGS)"

drills: .venv/.installed-dev ## Kill real processes at random, and count what was lost (minutes)
	$(BIN)/python -m pytest -m drill -s -q --show-capture=no tests/drills $(PYTEST_ARGS)

bench: .venv/.installed-dev ## Measure beside plain DRF and a bare function; writes docs/benchmarks.md
	$(BIN)/python -m bench --write $(BENCH_ARGS)

schema: .venv/.installed-dev ## Write docs/openapi.yaml from the code
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

docs: install ## Write docs/configuration.md from the settings
	$(BIN)/python -m config.documentation

lock: .venv/.installed-dev ## Compile the requirements files again from their .in files
	$(BIN)/python -m pip install --quiet uv
	for name in requirements requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	    $$name.in --output-file $$name.txt; done

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'
