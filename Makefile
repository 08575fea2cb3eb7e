# `make help` lists the recipes.
ifeq ($(OS),Windows_NT)
PYTHON ?= python
BIN := .venv/Scripts
else
PYTHON ?= python3
BIN := .venv/bin
endif
READY := .venv/.ready
UV := $(PYTHON) template/scripts/uv.py
APP := $(MAKE) --no-print-directory -C template
DEMO := build/demo
PORT ?= 8000
# Packages of another environment are none of ours.
unexport PYTHONPATH VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-quick test-apps app machine image-test lint fix docs clean

help: ## List the recipes
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Packages of the generator; the app's own: make -C template setup
	@echo "Installing the generator's packages ..."
	@$(UV) sync --locked --quiet
	@touch $(READY)

$(READY): pyproject.toml uv.lock
	@$(MAKE) --no-print-directory setup

# Nothing of another project may lead the demo astray, least of all to that project's database.
OTHERS := -u DATABASE_URL -u DATABASE_OWNER_URL -u JOBS_DATABASE_URL -u APP_ENV -u PUBLIC_URL

demo: ## Render with the defaults into build/demo and run it; elsewhere: make demo PORT=8001
	@$(PYTHON) -c "import socket; socket.create_server(('127.0.0.1', int('$(PORT)'))).close()" 2>/dev/null \
	  && ! $(PYTHON) -c "import socket; socket.create_connection(('localhost', '$(PORT)'))" 2>/dev/null \
	  || { echo "Port $(PORT) is taken, or none that you may open. Choose another: make demo PORT=8001"; exit 1; }
# Of the generator's packages it needs this one; the rest is ten times as much.
	@[ -e $(READY) ] || { echo "Installing Copier ..." \
	  && $(UV) sync --locked --quiet --inexact --only-group copier; }
	@echo "Rendering into $(DEMO) ..."
	@rm -rf $(DEMO)
	@PYTHONWARNINGS=ignore \
	  $(BIN)/copier copy --defaults --quiet --vcs-ref HEAD "$(CURDIR)" $(DEMO)
# A uv that was fetched for us serves the demo, too. Ctrl-C is the way to end it, so no error.
	@trap : INT; env $(OTHERS) PATH="$$PATH:$(CURDIR)/.local/uv/bin" \
	  $(MAKE) --no-print-directory -C $(DEMO) dev PORT=$(PORT) || [ $$? = 130 ]

# What Python compiled is kept, also where it shall not be: else setting up compiles every package.
export PYTHONDONTWRITEBYTECODE :=

# The machine waits for its people half of the time, and the rendered apps for each other at the end:
# so they run beside each other.
test: test-quick app ## Everything: the questions, the app where it stands, a machine, rendered apps
	@$(MAKE) --no-print-directory machine & beside=$$!; \
	  $(MAKE) --no-print-directory test-apps; tests=$$?; wait $$beside && exit $$tests

# mypy keeps one core busy, so the tests begin beside it.
test-quick: $(READY) ## The questions, updates, documents: everything that runs no app
	@$(MAKE) --no-print-directory lint & checks=$$!; \
	  $(BIN)/pytest -n 2 -m "not slow" -o tmp_path_retention_policy=failed; \
	  tests=$$?; wait $$checks && exit $$tests

# Less than `make contract` tries by itself, as every night does. mypy keeps one core busy for half a
# minute, and the last tests leave one idle: so the checks and the contract run beside the tests.
app: export CONTRACT_WHO := admin
app: export CONTRACT_EXAMPLES := 3
app: export BROKEN_FILES := 10
app: ## The app where it stands: template/'s own checks and tests
	@$(APP) .venv/.ready
	@($(APP) check && PYTEST_XDIST_AUTO_NUM_WORKERS=2 $(APP) contract) & beside=$$!; \
	  $(APP) test-all; tests=$$?; wait $$beside && exit $$tests

machine: $(READY) ## compose.yml as real processes under load, some of which are killed
# In the app's environment, for it speaks to the app's database; what it starts is in ours.
	@$(MAKE) --no-print-directory -C template .venv/.ready
	cd template && .venv/bin/pytest -c pyproject.toml --confcutdir ../tests/machine \
	  -o pythonpath=". ../tests/machine" -o faulthandler_timeout=600 -rs ../tests/machine

image-test: $(READY) ## Build the image and run the app from it; minutes, as root, with buildah and bubblewrap
	@$(MAKE) --no-print-directory -C template .venv/.ready
	cd template && .venv/bin/pytest -c pyproject.toml --confcutdir ../tests/image \
	  -o pythonpath=". ../tests/machine" -o faulthandler_timeout=900 -rs ../tests/image

test-apps: $(READY) ## Render each of tests/answers and run its checks and a fifth of its tests; all of them: WHOLE=1
	$(BIN)/pytest -n 3 --maxschedchunk 1 -m slow

lint: $(READY) ## Style and types of the generator
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

fix: $(READY) ## Repair what a machine can repair
	@$(BIN)/ruff check --fix --exit-zero --quiet >/dev/null
	$(BIN)/ruff format
	$(BIN)/ruff check

docs: $(READY) ## Write the pages that follow from the questions
	@$(BIN)/python docs/questionnaire.py

clean: ## Remove what was rendered and cached
	rm -rf build .mypy_cache .pytest_cache .ruff_cache
