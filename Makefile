# The one interface: people, pre-commit and CI call the same targets.
#
#   PYTHON       Python 3.10 or newer that the virtual environment is made with
#   TORCH        the builds of PyTorch to install
#   PIP_ARGS     options for every pip call. The package index has PyTorch for CUDA, several
#                gigabytes; on a machine without a GPU add the index of CPU wheels that PyTorch's
#                install page names: make demo PIP_ARGS='--extra-index-url <address>'
#   CONSTRAINTS  versions to hold every package to; empty lets pip choose
PYTHON ?= python3
TORCH ?= torch==2.13.0 torchvision==0.28.0
PIP_ARGS ?=
CONSTRAINTS ?= requirements/constraints.txt

# The OpenMMLab packages to install, by the name of their extra, and where.
FAMILY := onedl
VENV := .venv
BIN := $(VENV)/bin
# Made last, so that an installation that was interrupted starts again.
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
DOCS_STAMP := $(VENV)/.installed-docs
PIP_INSTALL = $(BIN)/python -m pip install -q $(PIP_ARGS) $(addprefix -c ,$(CONSTRAINTS))

# Networks of this size are many times faster on one thread.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help install dev demo test test-all test-openmmlab faults docs lint format type clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv with everything that demo and test need

$(STAMP): setup.py pyproject.toml $(wildcard requirements/*.txt)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo 'Python 3.10 or newer is needed: make PYTHON=/path/to/python3'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || \
		{ echo 'Python has no venv here. On Debian: apt-get install python3-venv'; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'Installing pydensecrf2 ...'
	@$(PIP_INSTALL) -r requirements/crf.txt || \
		{ echo 'pydensecrf2 is compiled here. On Debian: apt-get install g++ python3-dev'; exit 1; }
	@echo 'Installing $(TORCH) ...'
	@$(PIP_INSTALL) $(TORCH)
	@echo 'Installing the OpenMMLab packages and mmwsss ...'
	@$(PIP_INSTALL) -e '.[$(FAMILY),crf,coco,tests]'
	@# The usual OpenCV needs graphics libraries, which servers and containers often lack.
	@$(BIN)/python -c 'import cv2' 2> /dev/null || { \
		echo 'No graphics libraries here: taking OpenCV without windows ...'; \
		$(BIN)/python -m pip uninstall -q -y opencv-python && \
		$(PIP_INSTALL) --force-reinstall --no-deps opencv-python-headless && \
		$(BIN)/python -c 'import cv2'; }
	@touch $(STAMP)

dev: $(DEV_STAMP) ## Add mypy, pre-commit and mim to .venv

$(DEV_STAMP): $(STAMP)
	@echo 'Installing the tools of developers ...'
	@$(PIP_INSTALL) -r requirements/dev.txt
	@touch $(DEV_STAMP)

demo: install ## Run the whole BANA pipeline on synthetic shapes: minutes on a CPU
	@# The shapes are here, also for those whose own data are elsewhere.
	MMWSSS_DATA=data $(BIN)/python tools/dataset_converters/make_shapes.py data/shapes
	MMWSSS_DATA=data $(BIN)/python tools/train.py configs/demo/bana_shapes.py --work-dir work_dirs/demo

test: install ## Run the tests; TESTS='tests/test_models -k crf' runs some
	$(BIN)/python -m pytest $(TESTS)

test-all: dev ## Run the slow tests and those for a GPU too
	$(BIN)/python -m pytest -m '' $(TESTS)

test-openmmlab: ## Run the tests with the original OpenMMLab packages, in .venv-openmmlab
	@$(MAKE) --no-print-directory test FAMILY=openmmlab VENV=.venv-openmmlab

faults: install ## Kill runs, damage files and feed malformed input: up to 40 minutes
	$(BIN)/python -m pytest tests/faults -m 'not gpu' -rP --no-header $(TESTS)

docs: $(DOCS_STAMP) ## Build the documentation site in docs/_build/html
	@# Sphinx reads from the root, see docs/conf.py. It starts anew, so that no warning is lost.
	$(BIN)/python -m sphinx -q -E -W --keep-going -c docs -d docs/_build/doctrees . docs/_build/html
	@echo 'The site is in docs/_build/html/index.html'

$(DOCS_STAMP): $(STAMP)
	@echo 'Installing Sphinx ...'
	@$(PIP_INSTALL) -r requirements/docs.txt
	@touch $(DOCS_STAMP)

lint: install ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: install ## Mend style and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: dev ## Check the types of mmwsss/
	$(BIN)/mypy mmwsss

clean: ## Remove .venv*, caches and builds; data/ and work_dirs/ stay
	rm -rf .venv .venv-openmmlab build dist docs/_build *.egg-info .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
