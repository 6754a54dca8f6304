# Two commands do everything on a fresh machine (Python 3.11, make, pip): make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# On Linux, PyPI's torch is for CUDA (3 GB). The CPU build is enough:
# export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu

# Coverage triples the processor time of the tests on Python 3.11; from 3.12 on it costs little.
COVERAGE = $(shell $(BIN)/python -c 'import sys; print("--cov" * (sys.version_info >= (3, 12)))')

# Linters and types take one core each: two of test's jobs run side by side.
MAKEFLAGS += --jobs=2

.PHONY: demo test pytest coverage lint types docs site clean

demo: $(STAMP)
	$(BIN)/posology demo --out out/demo

test: lint types pytest

# Compiled modules are kept (in CI too), or each process of the tests compiles them again.
pytest: $(STAMP)
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 COVERAGE_CORE=sysmon $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder $(COVERAGE)

coverage: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --cov

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/vulture

types: $(STAMP)
	$(BIN)/ty check src
	$(BIN)/mypy

docs: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q tests/test_docs.py tests/test_docs_site.py tests/test_tutorials.py tests/test_reference.py tests/test_receipts.py

site: $(STAMP)
	$(BIN)/python -m docs.make.site

clean:
	rm -rf $(VENV) out .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# Compiling every module takes a minute; those that are used are compiled when first imported.
$(STAMP): pyproject.toml
	@echo "Installing into $(VENV), 2 GB: minutes without a word."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --no-compile -e ".[demo,simulators,serve]" --group dev
	# icu-sepsis asks for gym, which no longer installs beside current numpy; its data need no gym.
	$(BIN)/python -m pip install --quiet --no-compile --no-deps "icu-sepsis==2.0.1"
	touch $@
