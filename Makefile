# All commands of the project. `make demo` and `make serve` need nothing but Python 3.11 or newer.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
DATA ?= photos
RUNS ?= runs
# Checks run in the active virtual environment if there is one; serving always has its own.
SERVE := .venv
CHECK := $(if $(VIRTUAL_ENV),$(VIRTUAL_ENV),.venv)
BIN := $(CHECK)/bin
# Big freed blocks stay with the process: on a CPU that saves a third of a training step.
TRAIN := MALLOC_MMAP_THRESHOLD_=8589934592 MALLOC_TRIM_THRESHOLD_=17179869184 $(BIN)/tillsight train
COMPILE = uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --quiet

.DEFAULT_GOAL := help
.PHONY: help demo serve test lint docs lock train-detector train-embedder clean

help:  ## List the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: $(SERVE)/.serving  ## Install, enroll a drawn demo catalogue, serve on HOST and PORT
	$(SERVE)/bin/tillsight demo --host $(HOST) --port $(PORT)

serve: $(SERVE)/.serving  ## Install and serve on HOST and PORT
	$(SERVE)/bin/tillsight serve --host $(HOST) --port $(PORT)

test: lint  ## Install everything, then lint, types and all tests, slow ones too
	$(BIN)/python -m pytest -m "slow or not slow"

lint: $(CHECK)/.checking  ## Style and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(CHECK)/.checking  ## Write the tables in docs/ anew from the code
	$(BIN)/python -m tests.reference

lock:  ## Write requirements/*.txt anew from pyproject.toml (needs uv)
	$(COMPILE) --upgrade -c requirements/constraints.in --extra cpu --extra postgres \
		--extra train --extra dev -o requirements/dev.txt
	$(COMPILE) --upgrade -c requirements/dev.txt --extra cpu --extra postgres \
		-o requirements/cpu.txt
	$(COMPILE) --upgrade -c requirements/dev.txt --extra cuda --extra postgres \
		-o requirements/cuda.txt

train-detector: $(CHECK)/.checking  ## Train the kiosk detector on the photos in DATA
	$(TRAIN) detector --recipe models/train/recipes/kiosk_detector.yaml \
		--data $(DATA) --out $(RUNS)/kiosk-detector

train-embedder: $(CHECK)/.checking  ## Train the kiosk embedder on the photos in DATA
	$(TRAIN) embedder --recipe models/train/recipes/kiosk_embedder.yaml \
		--data $(DATA) --out $(RUNS)/kiosk-embedder

clean:  ## Remove the virtual environment and caches (never data or runs)
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

# Installing. A stamp file says for which locks an environment is up to date.

$(SERVE)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "error: $(PYTHON) is older than 3.11; try make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(SERVE)

$(SERVE)/.serving: requirements/cpu.txt pyproject.toml | $(SERVE)/bin/python
	$(SERVE)/bin/python -m pip install --quiet --require-hashes -r requirements/cpu.txt
	$(SERVE)/bin/python -m pip install --quiet --no-deps --editable .
	@touch $@

$(CHECK)/.checking: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@
