# The commands of the project. `make help` lists them.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
T ?= tests
UI_PORT ?= 3000
API_PORT ?= 8000
# Two workers for each processor, because tests often wait for processes and servers.
WORKERS ?= $(shell echo $$((2 * $$(nproc))))
# Idle workers take tests from busy workers. pytest lists the slowest tests at the end.
SHARES := --dist worksteal --durations=10 --durations-min=1
STAMP := $(VENV)/.installed
LITELLM := .venv-litellm

# These variables switch off usage reports and notices of packages.
export DO_NOT_TRACK := 1
export UNSTRUCTURED_DISABLE_NOTICE := 1
export GX_ANALYTICS_ENABLED := false
export DAGSTER_DISABLE_TELEMETRY := 1

.PHONY: help setup demo dev test check format lint types imports drawings reference docs lock bench soak litellm clean

help: ## List the commands.
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: $(STAMP) ## Create .venv with the locked dependencies.

# PyTorch is installed first, so that pip chooses the build for this machine's processor.
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

dev: setup ## Run Dagster, page and API until Ctrl-C. Other ports: make dev UI_PORT=3100 API_PORT=8100
	@exec $(BIN)/ragline dev --config examples/ragline.yaml --ui-port $(UI_PORT) --api-port $(API_PORT)

test: setup ## Run the tests. One file: make test T=tests/unit/test_chunking.py
	@$(BIN)/pytest -n $(WORKERS) $(SHARES) $(T)

check: setup lint types imports test ## Check format, lint, types and import contracts, and run the tests.

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

reference: setup ## Write the tables in docs/ that come from the code.
	@$(BIN)/python scripts/write_reference.py

docs: setup reference ## Build the documentation site in site/ and check all links.
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "open site/index.html; the search needs a server: $(BIN)/python -m http.server --directory site 8080"

lock: setup ## Write requirements.lock from pyproject.toml (needs uv).
	@scripts/lock

bench: setup ## Measure speed and quality. benchmarks/README.md has the figures.
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done
	@echo "== benchmarks/churn"; $(BIN)/python -m benchmarks.churn examples/peps --system ragline

soak: setup ## Run the tests with more examples and with external data.
	@RAGLINE_SOAK=1 $(BIN)/pytest -n $(WORKERS) $(SHARES) $(T)

litellm: setup $(LITELLM)/.installed ## Test Ragline behind LiteLLM's proxy, in a separate environment.
	@RAGLINE_LITELLM=$(LITELLM)/bin/python $(BIN)/pytest tests/acceptance/test_litellm_proxy.py

# The dependencies of LiteLLM conflict with the locked dependencies.
$(LITELLM)/.installed:
	@$(PYTHON) -m venv $(LITELLM)
	@$(LITELLM)/bin/pip install --quiet --disable-pip-version-check 'litellm[proxy]==1.108.7'
	@touch $@

clean: ## Remove the environment and the demo's data.
	@rm -rf $(VENV) $(LITELLM) examples/.ragline
