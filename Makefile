# Each target does all of its own set-up in $(VENV); nothing else on the machine is touched.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: bench demo test test-torch test-lowest test-newest lint docs hooks clean

demo: $(VENV)/.installed ## Train, evaluate, score the space and train the best cells, on shipped data
	$(BIN)/pyg-nas demo --out demo

test: $(VENV)/.installed-dev ## Run the test suite, in two processes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=2

test-lowest: $(VENV)-lowest/.installed ## Run a subset with the lowest declared versions (Python 3.11)
	$(VENV)-lowest/bin/python -m pytest -W ignore $(SUBSET)

test-newest: $(VENV)-newest/.installed ## Run a subset with the newest versions there are
	$(VENV)-newest/bin/python -m pytest -W ignore $(SUBSET)

test-torch: $(VENV)/.installed-dev ## Run the tests of the networks without compiled code
	PYG_NAS_ENGINE=torch $(BIN)/python -m pytest -m engine

lint: $(VENV)/.installed-dev ## Check style, types and the order of the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev ## Run short forms of all benchmarks and compare their ratios with the committed ones
	PYTHONPATH=. $(BIN)/python -m benchmarks.short

docs: $(VENV)/.installed-docs ## Build the documentation into site/ (search: python -m http.server -d site)
	PYTHONPATH=. $(BIN)/python -m mkdocs build --strict

hooks: $(VENV)/.installed-dev ## Run the checks of lint before every commit
	$(BIN)/pre-commit install

clean: ## Remove the environments and everything built
	rm -rf $(VENV) $(VENV)-lowest $(VENV)-newest build dist site demo *.egg-info

# Every room, without what takes long and depends on no version: a few minutes on two cores.
SUBSET := $(addprefix tests/,cli/test_app.py cli/commands/test_table.py \
	cli/commands/test_train.py cli/commands/test_evaluate.py cli/commands/test_predict.py \
	compute data engine features graphs io \
	measure/tasks/test_by_name.py measure/training/test_trainer.py \
	measure/campaigns/test_campaign.py metrics nasbench nn predictors/gnn/test_gcn.py \
	predictors/test_hybrid.py predictors/storage/test_folder.py report/test_writer.py \
	report/test_searches.py report/test_predictions.py search/test_loop.py \
	search/methods/test_strategies.py spaces testing visualization)

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
	$(PIP) install -c constraints.txt -e '.[dev,ray,dask,optuna,tensorboard,export,docs]'
	touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: docs/requirements.txt constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -r docs/requirements.txt
	touch $@

# Of torch the lowest is not tested: one version has to serve all three environments.
$(VENV)-lowest/.installed: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv $(VENV)-lowest
	$(VENV)-lowest/bin/python -m pip install -q -c constraints-lowest.txt torch
	$(VENV)-lowest/bin/python -m pip install -q -c constraints-lowest.txt -e '.[test]'
	touch $@

$(VENV)-newest/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-newest
	$(VENV)-newest/bin/python -m pip install -q "$$(grep '^torch==' constraints.txt)"
	$(VENV)-newest/bin/python -m pip install -q --upgrade --upgrade-strategy eager \
		"$$(grep '^torch==' constraints.txt)" -e '.[test]'
	touch $@
