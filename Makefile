# Everything a person or a machine does with a checkout. Needs Python 3.11 or later, git and make; nothing is installed outside .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.set-up
ROOMS := schemas ingest rating accounts settlement devices meterline
PYTEST := $(BIN)/pytest -rs --dist loadfile

.PHONY: help setup demo test test-long check format bench-end-to-end clean

help:
	@echo "make setup             .venv with the pinned packages and meterline itself; quick when up to date"
	@echo "make demo              set up, then a small operator from files to bills in demo-home/"
	@echo "make test              set up, then all tests but the long forms of proofs"
	@echo "make test-long         set up, then the long forms"
	@echo "make check             set up, then lint, format, types, import contracts, house rules"
	@echo "make format            let ruff format everything"
	@echo "make bench-end-to-end  set up, then measure files to bills"
	@echo "make clean             remove .venv, caches and demo-home"

setup: $(STAMP)

# The stamp is the last thing written: an interrupted set-up is begun again. An existing .venv is brought up to date in place.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "no python3.11 and no python3 was found; install Python 3.11 or set PYTHON"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11; install it or set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo "$(PYTHON) cannot make a virtual environment (on Debian and Ubuntu: the package python3-venv)"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip check --disable-pip-version-check
	@touch $@

demo: setup
	$(BIN)/meterline demo demo-home

# Two processes; a test that needs the machine to itself is marked `alone` (tests/conftest.py) and waits for the other process.
test: setup
	@sh tests/tools/system_packages.sh
	$(PYTEST) -m "not long" -n 2

test-long: setup
	@sh tests/tools/system_packages.sh
	$(PYTEST) -m long -n 2

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports
	$(BIN)/pytest tests/tidy

format: setup
	$(BIN)/ruff format .

bench-end-to-end: setup
	$(BIN)/python -m benchmarks.end_to_end

clean:
	rm -rf .venv build *.egg-info demo-home .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find $(ROOMS) tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
