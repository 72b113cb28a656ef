# Every command sets up what it needs in .venv; the second run reuses it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Tests start hundreds of processes; without bytecode each of them compiles the project anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Added to every pip call; the README tells how to use it for PyTorch's CPU wheels.
PIP_FLAGS ?=
# Without warnings: setuptools warns of every editable installation.
PIP := $(BIN)/python -W ignore -m pip --disable-pip-version-check
# pip would compile every file of every package, one after another: for `make run`, Python compiles
# what it imports; for tests, .dev compiles on all processors.
INSTALL := $(PIP) install -q --no-compile
TORCH := $(shell grep -m1 '^torch==' requirements.lock)

SOURCE ?= sample
RECIPE ?= default
DAGSTER_PORT ?= 3000
WEB_PORT ?= 8000
# Tests run side by side, a file at a time, those with servers first. The slow ones often wait for
# servers, so that there is one process more than processors for them. Each takes some 2 GB.
PROCESSORS := $(shell getconf _NPROCESSORS_ONLN)
WORKERS ?= $(shell echo $$(( $(PROCESSORS) + 1 )))
PYTEST = $(BIN)/python -m pytest -q --dist loadfile --no-loadscope-reorder

.PHONY: help run up test week check check-forge lambda tools bench generate lock system web-assets screenshots clean

help: ## What each command does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: $(VENV)/.$(if $(filter published,$(RECIPE)),published,pipeline) ## Set up, then run the whole pipeline on the embedded default; SOURCE=DIR reads PKDD'99 files, RECIPE=published trains the write-up's models
	@$(BIN)/loan-pipeline run --source '$(SOURCE)' --recipe '$(RECIPE)'

up: $(VENV)/.pipeline web-assets ## Dagster UI (DAGSTER_PORT) and the web app (WEB_PORT)
	@DAGSTER_PORT=$(DAGSTER_PORT) WEB_PORT=$(WEB_PORT) bash deploy/up.sh

test: $(VENV)/.dev system web-assets tools ## Set up, then run every test, with a real MariaDB, S3 server and browser
	@$(PYTEST) -n $(WORKERS)

week: $(VENV)/.dev system web-assets ## Set up, then go through a week in a browser, on Dagster's UI and the web app
	@LOAN_TEST_WEEK=1 $(BIN)/python -m pytest -q loan_pipeline_tests/integration/defs/test_week.py

check: $(VENV)/.dev ## Lint, types, import layers, definitions, fast tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@env -i PYTHONWARNINGS=ignore PATH="$$PATH" HOME="$$HOME" LOAN_HOME="$$(mktemp -d)" $(BIN)/dagster definitions validate -w workspace.yaml
	@$(BIN)/cfn-lint deploy/aws/*.yaml
	@$(BIN)/hadolint deploy/*.Dockerfile
	@$(MAKE) --no-print-directory check-forge
	@$(PYTEST) -n $(PROCESSORS) -m 'not slow'

check-forge: $(VENV)/.dev ## The workflow, the templates and the commit hooks, by their own schemas
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/wish.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	@$(BIN)/pre-commit validate-config

bench: $(VENV)/.dev $(VENV)/.published system web-assets ## The benchmarks, side by side with their peers (an hour or two); writes docs/benchmarks.md
	@status=0; $(BIN)/python -m benchmarks || status=$$?; $(BIN)/python -m benchmarks --write-docs; exit $$status

generate: $(VENV)/.dev ## Write the catalogue in docs/features.md from the features' contract
	@$(BIN)/python -m loan_pipeline.features.catalogue docs/features.md

lock: ## Resolve every dependency together again and write requirements.lock
	rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	$(INSTALL) $(PIP_FLAGS) $(TORCH)
	$(INSTALL) $(PIP_FLAGS) -e '.[pipeline,web,published,spark,dev]'
	{ echo '# Everything the project installs, resolved together on Python 3.11.'; echo '# Made by: make lock'; \
	  $(PIP) freeze --exclude-editable | sed -E 's/^(torch==[0-9.]+)\+.*/\1/'; } > requirements.lock

lambda: PYTHON = python3.12
lambda: web-assets ## The web app as a zip for AWS Lambda: dist/lambda.zip, for Python 3.12
	@PYTHON=$(PYTHON) bash deploy/build_lambda.sh

tools: ## The deployment's checkers and MLflow's server for tests, each in an environment of its own
	@bash deploy/tools.sh

system: ## The programs that tests start: MariaDB, Chromium, OpenSSH, Java, Node.js
	@bash deploy/system-packages.sh

web-assets: webapp/static/vendor/.installed ## The web app's third-party style sheets and scripts, from npm

webapp/static/vendor/.installed: package.json package-lock.json
	@if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund && npm run --silent vendor && touch $@; \
	else echo "npm is not installed: the web app works, but without its style sheet. Install Node.js 18 or newer, then: make web-assets"; fi

screenshots: $(VENV)/.dev system web-assets ## The pictures of README and docs/operations.md; the models are those released in LOAN_HOME
	@LOAN_TEST_WEEK=1 LOAN_TEST_PICTURES=docs/screenshots $(BIN)/python -m pytest -q loan_pipeline_tests/integration/defs/test_week.py
	@$(BIN)/python -m loan_pipeline_tests.helpers.screenshots

clean: ## Remove the environment and what npm brought; var/ stays
	rm -rf $(VENV) node_modules webapp/static/vendor

$(VENV)/.base: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	  || { echo "Python 3.11, 3.12 or 3.13 is needed, $(PYTHON) is $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || { echo "Creating the environment in $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@$(INSTALL) --upgrade 'pip>=25' $(PIP_FLAGS)
	@touch $@

$(VENV)/.pipeline: $(VENV)/.base pyproject.toml
	@echo "Installing the pipeline and the web app (about a minute the first time)"
	@$(INSTALL) --progress-bar on $(PIP_FLAGS) -c requirements.lock -e '.[pipeline,web]'
	@touch $@

# PyTorch first and alone: resolved with the rest, pip may take a build with gigabytes of CUDA.
$(VENV)/.published: $(VENV)/.pipeline
	@echo "Installing $(TORCH), fastai and CatBoost for the recipe published (some minutes)"
	@$(INSTALL) --progress-bar on $(PIP_FLAGS) $(TORCH)
	@$(INSTALL) --progress-bar on $(PIP_FLAGS) -c requirements.lock -e '.[pipeline,web,published]'
	@touch $@

# Not all that packages hold is valid Python, which compileall ends with a failure for.
$(VENV)/.dev: $(VENV)/.pipeline
	@echo "Installing the test tools and Spark"
	@$(INSTALL) --progress-bar on $(PIP_FLAGS) -c requirements.lock -e '.[pipeline,web,spark,dev]'
	@echo "Compiling the packages, which tests side by side would each do again"
	@$(BIN)/python -m compileall -qq -j $(PROCESSORS) -x '/tests?/' $(VENV)/lib || true
	@touch $@
