# Every target sets up .venv by itself. PYTHON names the interpreter to make it from, 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
READY := .venv/ready
REFERENCE = $(wildcard docs/reference/*.md)
# Each module is compiled once, whatever the shell says: tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test units lint docs fix bench

demo: $(READY)
	$(BIN)/hub demo

test: $(READY)
	$(MAKE) --no-print-directory -j 2 lint units

# One worker more than two cores: some tests wait for clocks and other processes.
units: $(READY)
	$(BIN)/pytest -n 3 --dist worksteal

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python changelog.d/check.py
	$(if $(REFERENCE),$(BIN)/cog --check $(REFERENCE))

docs: $(READY)
	$(if $(REFERENCE),$(BIN)/cog -r $(REFERENCE))
	$(BIN)/python docs/pictures.py

fix: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	$(BIN)/python benchmarks

# The pip that comes with Python may be years old, which takes twice as long; of what is installed, tests import a quarter.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hub needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) --upgrade pip
	$(INSTALL) --no-compile -e '.[dev]'
	touch $@
