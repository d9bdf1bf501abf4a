# One virtual environment in .venv, made once and again when the requirements change.
#   make PYTHON=python3.12 test     another interpreter for a new environment

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REQUIREMENTS := pyproject.toml constraints/cpu.txt
DEMO_READY := $(VENV)/.demo-ready
DEV_READY := $(VENV)/.dev-ready
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints/cpu.txt
# TensorRT-RTX and hadolint have wheels for x86-64 Linux only; elsewhere the tests that need the one skip.
COMMA := ,
LINUX_X86 := $(filter Linux-x86_64,$(shell uname -s)-$(shell uname -m))
RTX := $(if $(LINUX_X86),$(COMMA)rtx)
CXX_FILES = $(shell git ls-files '*.h' '*.hpp' '*.cpp' '*.cu' '*.cuh')

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench readme clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(DEMO_READY) ## Export, build, validate and time the shipped model on this machine's CPU
	$(BIN)/segpp-deploy demo

test: $(DEV_READY) ## Run the test suite
	$(BIN)/python -m pytest

lint: $(DEV_READY) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(if $(CXX_FILES),$(BIN)/clang-format --dry-run --Werror $(CXX_FILES))
	$(if $(LINUX_X86),$(BIN)/hadolint docker/*.Dockerfile)

format: $(DEV_READY) ## Rewrite the sources in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(if $(CXX_FILES),$(BIN)/clang-format -i $(CXX_FILES))

bench: $(DEV_READY) ## Measure the recorded CPU benchmarks anew (about half an hour)
	$(BIN)/python -m benchmarks.measure.cpu_ratios

readme: $(DEV_READY) ## Run the demo and put its table and picture into README.md
	$(BIN)/segpp-deploy demo --out demo-report
	$(BIN)/python -m benchmarks.pages.readme --record demo-report

clean: ## Remove the environment, reports and caches
	rm -rf $(VENV) demo-report build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "$(PYTHON) is too old or missing. Expected Python 3.10 or newer. Fix: make PYTHON=python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 2; }

$(DEMO_READY): $(REQUIREMENTS) | $(BIN)/python
	$(PIP_INSTALL) -e '.[cpu,openvino,report]'
	@touch $@

$(DEV_READY): $(REQUIREMENTS) | $(BIN)/python
	$(PIP_INSTALL) -e '.[cpu,openvino,report,plugins,dev$(RTX)]'
	$(PIP_INSTALL) --no-deps kernel-lens
	@touch $(DEMO_READY) $@
