# Each target does all of its own set-up in $(VENV); nothing else on the machine is touched.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: demo test lint docs clean

demo: $(VENV)/.installed ## Train, evaluate, score the space and train the best cells, on shipped data
	$(BIN)/pyg-nas demo --out demo

test: $(VENV)/.installed-dev ## Run the test suite
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev ## Check style, types and the order of the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed-dev ## Build the documentation into site/
	$(BIN)/python -m mkdocs build --strict

clean: ## Remove the environment and everything built
	rm -rf $(VENV) build dist site demo *.egg-info

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# torch comes first and alone: the other packages then find it satisfied.
$(VENV)/.torch: constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt torch
	touch $@

$(VENV)/.installed: pyproject.toml constraints.txt $(VENV)/.torch
	$(PIP) install -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt $(VENV)/.torch
	$(PIP) install -c constraints.txt -e '.[dev,ray,dask,export,docs]'
	touch $@ $(VENV)/.installed
