# The two commands a newcomer needs are `make demo` and `make test`; each sets itself up first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SEED   ?= 7
EVENTS ?= 200000
ROUNDS ?= 100
WORKERS ?= 2
MINUTES ?= 30
RATE   ?= 345
ALERTS ?= 50
MUTATIONS ?= 500
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench crash soak evidence-drill lock clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.ready ## Make .venv with pinned versions (runs by itself before the others)

$(VENV)/.ready: pyproject.toml constraints.txt
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@echo "installing pinned packages into $(VENV) (about a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,bench]'
	@$(BIN)/txmon keys init --quiet
	@touch $@

demo: setup ## Simulate, score and tell one story; files land in demo/ (SEED=n for other data)
	@$(BIN)/txmon demo --out demo --seed $(SEED)

test: setup ## Run the whole test suite, files side by side (WORKERS=n)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

check: setup ## Format, lint, types, layers, rules and their lock
	@$(BIN)/ruff format --check txmon tests
	@$(BIN)/ruff check txmon tests
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/txmon rules check

bench: setup ## Engine against DuckDB window SQL and polars in one run (EVENTS=n)
	@$(BIN)/txmon bench --events $(EVENTS)

crash: setup ## Kill the service ROUNDS times under load and judge what it acknowledged (crash.ndjson)
	@$(BIN)/python tests/crash/drill.py $(ROUNDS) --seed $(SEED)

soak: setup ## Run the service MINUTES long at RATE events a second; judge memory, files, errors (soak.ndjson)
	@$(BIN)/python tests/operate/soak.py --minutes $(MINUTES) --rate $(RATE)

evidence-drill: setup ## Check ALERTS bundles in two ways, find MUTATIONS changes of them (evidence-drill.ndjson)
	@$(BIN)/python tests/evidence/evidence_drill.py --alerts $(ALERTS) --mutations $(MUTATIONS) --seed $(SEED)

lock: setup ## Pin the shipped rules' versions and contents in rules/lock.json
	@$(BIN)/txmon rules lock

clean: ## Remove what the commands above made
	@rm -rf $(VENV) demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
