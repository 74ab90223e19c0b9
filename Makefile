.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
REPORT ?= data/report.html

# Real raw data beside the clone where it exists, else two simulated seasons.
SIMULATED := data/simulated
RAW_DIR := $(or $(BACKCOURT_RAW_DIR),$(if $(wildcard ../shared/data/nba/games),../shared/data/nba,$(SIMULATED)))

# The gaps of the real seasons are known; simulated seasons have none.
DEMO_GAPS := $(if $(filter $(SIMULATED),$(RAW_DIR)),,BACKCOURT_KNOWN_GAPS=$(or $(BACKCOURT_KNOWN_GAPS),docs/examples/known_source_gaps.csv))

export DBT_SEND_ANONYMOUS_USAGE_STATS ?= false

# Keep byte code: without it each test process compiles the package again, and pytest its tests.
unexport PYTHONDONTWRITEBYTECODE

# Exit code 1 means that the work is done but some data needs attention, as real data does.
ON_ATTENTION = { code=$$?; [ $$code = 1 ] && echo "make: goes on; what needs attention is in $(REPORT)" || exit $$code; }

.PHONY: help setup demo check test test-more test-bigquery test-deploy kills lint generate bench docs notebook report lock clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Create .venv with the locked dependencies and the backcourt command

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: $(PYTHON) is $$($(PYTHON) -V 2>&1); Backcourt needs Python 3.11 or newer."; \
		echo "  Name another one with: make setup PYTHON=python3.12"; exit 3; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(SIMULATED)/SIMULATED.md: | $(STAMP)
	$(BIN)/backcourt simulate --out $(SIMULATED) --seasons 2021-22,2022-23

demo: setup $(if $(filter $(SIMULATED),$(RAW_DIR)),$(SIMULATED)/SIMULATED.md)  ## Raw data in, backfill of every processor, coverage, report (DuckDB)
	$(BIN)/backcourt load $(RAW_DIR)
	$(DEMO_GAPS) $(BIN)/backcourt backfill --all || $(ON_ATTENTION)
	$(DEMO_GAPS) $(BIN)/backcourt report --out $(REPORT) || $(ON_ATTENTION)
	@$(if $(DEMO_GAPS),echo "make: for other commands on this warehouse: export $(DEMO_GAPS)")

check: setup  ## Check style, types and imports, and run the quick unit tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" -q tests/python/unit python_workers

# The slow folders come first, so that neither worker is left with one at the end.
PYTEST_ALL = $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore=tests/python/scenarios/test_kill_campaign.py

test: setup  ## Run every test, each behaviour on one set of data
	$(PYTEST_ALL) -m "not twice"

test-more: setup  ## Run every test on all its data (but the random kills)
	$(PYTEST_ALL)

# About 0.10 USD at most; PROJECT=emulator and PROJECT=local-bigquery show it here.
test-bigquery: setup  ## Run the opt-in tests on a BigQuery project of yours (PROJECT=my-project)
	@test -n "$(PROJECT)" || { echo "error: name your project: make test-bigquery PROJECT=my-project"; exit 2; }
	TEST_BIGQUERY_PROJECT=$(PROJECT) $(BIN)/python -m pytest -q tests/python/bigquery/test_real_project.py

test-deploy: setup  ## Run deploy's DAG on Airflow, in an environment of its own
	TEST_DEPLOY=1 $(BIN)/python -m pytest -q tests/python/deploy/test_airflow.py

kills: setup  ## Kill backfills at random moments (BACKCOURT_KILLS says how often)
	$(BIN)/python -m pytest tests/python/scenarios/test_kill_campaign.py

lint: setup  ## Check style, types and SQL
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	BACKCOURT_DUCKDB_PATH=:memory: $(BIN)/sqlfluff lint models tests/dbt

generate: setup  ## Write the files that follow from the declarations
	$(BIN)/python -m python_workers.processors.dbt_macro
	$(BIN)/python -m python_workers.cli.reference

bench: setup  ## Print the benchmarks
	$(BIN)/backcourt bench

docs: setup  ## Write the data dictionary and dbt's documentation of the default warehouse
	$(BIN)/backcourt docs

# Its packages have a lock of their own, since Backcourt needs none of them.
notebook: setup  ## Execute docs/training.ipynb on the default warehouse, with its own packages
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r docs/training-requirements.lock
	@mkdir -p data
	$(BIN)/jupyter execute docs/training.ipynb --output=../data/training
	@echo "make: wrote data/training.ipynb"

report: setup  ## Write the report page of the default warehouse
	$(BIN)/backcourt report --out $(REPORT) || $(ON_ATTENTION)

# Each lock is complete and installed without its dependencies: pip would look for newer ones.
lock:  ## Renew the lock files (needs uv)
	uv pip compile pyproject.toml --extra dask --extra nba --extra dev --universal --python-version 3.11 --no-strip-extras \
		--generate-hashes --no-emit-index-url --no-emit-find-links --upgrade \
		--custom-compile-command "make lock" --output-file requirements.lock
	uv pip compile docs/training-requirements.in --constraint requirements.lock --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --upgrade \
		--custom-compile-command "make lock" --output-file docs/training-requirements.lock
	uv pip compile tests/python/bigquery/bqemulator-requirements.in --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		--output-file tests/python/bigquery/bqemulator-requirements.lock
	uv pip compile tests/python/deploy/airflow-requirements.in --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		--output-file tests/python/deploy/airflow-requirements.lock

clean:  ## Remove what the targets made, the warehouse file and simulated data included
	rm -rf $(VENV) .emulator target logs dbt_packages data .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
