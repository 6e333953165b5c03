# Every command of the project; `make help` lists them.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
T ?= tests
UI_PORT ?= 3000
API_PORT ?= 8000
# Half as many again as processors, because tests wait for processes and servers.
WORKERS ?= $(shell n=$$(nproc); echo $$((n + (n + 1) / 2)))
# Idle workers take tests from busy ones. Lists the slowest tests.
SHARES := --dist worksteal --durations=10 --durations-min=1
STAMP := $(VENV)/.installed
LITELLM := .venv-litellm

# No usage reports, no downloads of models at run time.
export DO_NOT_TRACK := 1
export UNSTRUCTURED_DISABLE_NOTICE := 1
export GX_ANALYTICS_ENABLED := false
export DAGSTER_DISABLE_TELEMETRY := 1

.PHONY: help setup demo dev test check format lint types imports drawings reference docs lock bench soak litellm clean

help: ## List the commands.
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: $(STAMP) ## Create .venv with the locked dependencies.

# PyTorch first, so that the build for this machine's processor is installed.
$(STAMP): requirements.lock pyproject.toml
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Ragline needs Python 3.11 or newer; name one with PYTHON=…"; exit 2; }
	@echo "setup, step 1 of 3: PyTorch, 0.8 GB on disk; a minute or two"
	@$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0 $(TORCH_INDEX)
	@echo "setup, step 2 of 3: the packages of requirements.lock, 2 GB on disk; two to five minutes"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	@echo "setup, step 3 of 3: Ragline itself; seconds"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## Index the sample corpus with Dagster and search it.
	@$(BIN)/ragline demo --config examples/ragline.yaml

dev: setup ## Dagster UI, page and API until Ctrl-C; other ports: make dev UI_PORT=3100 API_PORT=8100
	@exec $(BIN)/ragline dev --config examples/ragline.yaml --ui-port $(UI_PORT) --api-port $(API_PORT)

test: setup ## Run the tests; one: make test T=tests/unit/test_chunking.py
	@$(BIN)/pytest -n $(WORKERS) $(SHARES) $(T)

check: setup lint types imports test ## Format, lint, types, import contracts, tests.

format: setup ## Rewrite the code in the project's format.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: setup ## Check format and lint.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: setup ## Check the types.
	@$(BIN)/mypy

imports: setup ## Check the direction of the imports.
	@$(BIN)/lint-imports

drawings: setup ## Draw the pictures of docs/architecture.md from its tables.
	@$(BIN)/python scripts/draw_architecture.py

reference: setup ## Write the tables of docs/ that come from the code.
	@$(BIN)/python scripts/write_reference.py

docs: setup reference ## Build the documentation site into site/, with all links checked.
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "open site/index.html; with the search: $(BIN)/python -m http.server --directory site 8080"

lock: setup ## Write requirements.lock from pyproject.toml (needs uv).
	@scripts/lock

bench: setup ## Measure speed and quality; figures go to benchmarks/README.md.
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done
	@echo "== benchmarks/churn"; $(BIN)/python -m benchmarks.churn examples/peps --system ragline

soak: setup ## Run the tests with more examples and over the external data.
	@RAGLINE_SOAK=1 $(BIN)/pytest -n $(WORKERS) $(SHARES) $(T)

litellm: setup $(LITELLM)/.installed ## Test Ragline behind LiteLLM's proxy, in a separate environment.
	@RAGLINE_LITELLM=$(LITELLM)/bin/python $(BIN)/pytest tests/acceptance/test_litellm_proxy.py

# Its dependencies conflict with the locked ones.
$(LITELLM)/.installed:
	@$(PYTHON) -m venv $(LITELLM)
	@$(LITELLM)/bin/pip install --quiet --disable-pip-version-check 'litellm[proxy]==1.108.7'
	@touch $@

clean: ## Remove the environment and the demo's data.
	@rm -rf $(VENV) $(LITELLM) examples/.ragline
