# The single interface: people, pre-commit and CI call the same targets.
#
#   PYTHON       Python 3.10 or newer, used to make the virtual environment
#   TORCH        the builds of PyTorch to install
#   PIP_ARGS     options for every pip call. The package index has PyTorch for CUDA, which takes
#                several gigabytes. On a machine without a GPU, add the index of CPU wheels from
#                PyTorch's install page: make demo PIP_ARGS='--extra-index-url <address>'
#   CONSTRAINTS  file of package versions to use; if empty, pip chooses
#   PIPELINES    pipelines in configs/ that gallery shows; finished ones are not run again
PYTHON ?= python3
TORCH ?= torch==2.13.0 torchvision==0.28.0
PIP_ARGS ?=
CONSTRAINTS ?= requirements/constraints.txt
PIPELINES ?= $(addsuffix _mobilenet-v2_voc,bana psa irn aeft rca sbce-walk)

# The extra that names the OpenMMLab packages to install, and where to install them.
FAMILY := onedl
VENV := .venv
BIN := $(VENV)/bin
# Made last, so that an interrupted installation starts again.
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
DOCS_STAMP := $(VENV)/.installed-docs
PIP_INSTALL = $(BIN)/python -m pip install -q $(PIP_ARGS) $(addprefix -c ,$(CONSTRAINTS))

# Such small networks are many times faster on one thread.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help install dev demo gallery test test-all test-openmmlab faults docs lint format type clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv with everything that demo and test need

$(STAMP): setup.py pyproject.toml $(wildcard requirements/*.txt)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo 'Python 3.10 or newer is needed: make PYTHON=/path/to/python3'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || \
		{ echo 'This Python has no venv module. On Debian: apt-get install python3-venv'; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'Installing pydensecrf2 ...'
	@$(PIP_INSTALL) -r requirements/crf.txt || \
		{ echo 'Compiling pydensecrf2 failed. On Debian: apt-get install g++ python3-dev'; exit 1; }
	@echo 'Installing $(TORCH) ...'
	@$(PIP_INSTALL) $(TORCH)
	@echo 'Installing the OpenMMLab packages and mmwsss ...'
	@$(PIP_INSTALL) -e '.[$(FAMILY),crf,coco,tests]'
	@# The regular OpenCV needs graphics libraries, which servers and containers often lack.
	@$(BIN)/python -c 'import cv2' 2> /dev/null || { \
		echo 'No graphics libraries found, so installing OpenCV without windows ...'; \
		$(BIN)/python -m pip uninstall -q -y opencv-python && \
		$(PIP_INSTALL) --force-reinstall --no-deps opencv-python-headless && \
		$(BIN)/python -c 'import cv2'; }
	@touch $(STAMP)

dev: $(DEV_STAMP) ## Add mypy, pre-commit and mim to .venv

$(DEV_STAMP): $(STAMP)
	@echo 'Installing developer tools ...'
	@$(PIP_INSTALL) -r requirements/dev.txt
	@touch $(DEV_STAMP)

demo: install ## Run the whole BANA pipeline on synthetic shapes: minutes on a CPU
	@# The shapes are always here, even if MMWSSS_DATA is set to another folder.
	MMWSSS_DATA=data $(BIN)/python tools/dataset_converters/make_shapes.py data/shapes
	MMWSSS_DATA=data $(BIN)/python tools/train.py configs/demo/bana_shapes.py --work-dir work_dirs/demo

gallery: install ## Show every stage on your own VOC, in work_dirs/gallery/index.html (hours on a CPU)
	for name in $(PIPELINES); do $(BIN)/python tools/train.py configs/$$name.py || exit 1; done
	$(BIN)/python tools/analysis_tools/gallery.py $(addprefix work_dirs/,$(PIPELINES))

test: install ## Run the tests, or some: TESTS='tests/test_models -k crf'
	$(BIN)/python -m pytest $(TESTS)

test-all: dev ## Run all tests, including slow ones and those for a GPU
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

format: install ## Fix style and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: dev ## Check the types of mmwsss/
	$(BIN)/mypy mmwsss

clean: ## Remove .venv*, caches and builds, but not data/ and work_dirs/
	rm -rf .venv .venv-openmmlab build dist docs/_build *.egg-info .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
