PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help

.venv/.installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements.txt
	touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.txt
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.txt
	touch $@

.PHONY: install run test lint check bench drills schema help

install: .venv/.installed ## Make .venv and install the locked requirements

run: install ## Start everything: PostgreSQL, Valkey, web, live, worker, beat
	exec $(BIN)/python manage.py up

test: .venv/.installed-dev ## Run the tests on real PostgreSQL and Valkey
	$(BIN)/pytest

lint: .venv/.installed-dev ## Format check, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports

check: lint ## Everything that CI runs
	$(BIN)/pytest

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'
