# `make` alone lists what there is to make. PYTHON=python3.12 chooses the Python that .venv is made with.
PYTHON ?= python3
BIN := .venv/bin
# torch is named beside the rest so that no other package's wish can bring another one.
INSTALL := $(BIN)/pip install --disable-pip-version-check --constraint constraints.txt torch==2.13.0 --editable

.PHONY: help demo up test lint chaos bench docs lock clean

help:
	@echo "make demo    install, run the reference study on the bundled sample, show it at http://127.0.0.1:8000"
	@echo "             EXIT=1 stops after the results; FRESH=1 launches the runs again"
	@echo "make up      start the dashboard, for daily use"
	@echo "make test    linters, types and all tests; REQUIRE_BROWSER=1 fails where no Chromium is found"
	@echo "make lint    linters and types only"
	@echo "make chaos   try to break what is promised, for hours; MINUTES=90 stops then, the next go continues (docs/reliability.md)"
	@echo "make bench   print the benchmarks' tables"
	@echo "make docs    write docs/reference.md from the code"
	@echo "make lock    write constraints.txt from what is installed"
	@echo "make clean   remove what was installed and built; ./var, where your runs are, stays"

demo: .venv/.demo
	@$(BIN)/tuneboard demo$(if $(EXIT), --exit)$(if $(FRESH), --fresh)

up: .venv/.demo
	@$(BIN)/tuneboard up

test: lint
	$(BIN)/pytest

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

chaos: .venv/.test
	@$(BIN)/python -m tests.chaos$(if $(MINUTES), --minutes $(MINUTES))

bench: .venv/.test
	@for script in benchmarks/[a-z]*.py; do echo "$$script"; $(BIN)/python -m benchmarks.$$(basename $$script .py) || exit 1; done

docs: .venv/.demo
	$(BIN)/python -m app.reference > docs/reference.md

lock: .venv/.test
	@$(BIN)/python -m pip freeze --exclude-editable | sed -e 's/+cpu$$//' -e '/^nvidia-.*-cu\|^triton\|^cuda-/d' > constraints.new
	@{ echo "# Exact versions that were tested together. Written by \`make lock\`."; cat constraints.new; } > constraints.txt
	@rm constraints.new

clean:
	rm -rf .venv node_modules app/static/vendor *.egg-info build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.python:
	@command -v $(PYTHON) > /dev/null || { echo "There is no $(PYTHON): install Python 3.11 or newer (apt-get install python3 python3-venv)." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Tuneboard needs Python 3.11 or newer, and $$($(PYTHON) -V) is older: name another, as in make demo PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { echo "$(PYTHON) cannot make virtual environments: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.demo: .venv/.python .venv/.assets
	@touch $@

.venv/.packages: .venv/.python pyproject.toml constraints.txt
	@echo "Installing into .venv: 1.9 GB with torch's CPU build, several more where pip takes the CUDA one (see README.md)"
	$(INSTALL) '.[worker,assets]'
	@touch $@

.venv/.assets: .venv/.packages package.json package-lock.json
	$(BIN)/python -m app.assets
	@touch $@

.venv/.test: .venv/.demo pyproject.toml constraints.txt
	$(INSTALL) '.[worker,assets,dev]'
	@touch $@
