# Everything below needs only make and Python >= 3.11; .venv follows requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.matches-lock
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Write bytecode: otherwise every process that a test starts compiles axilla again.
unexport PYTHONDONTWRITEBYTECODE

# One worker more than cores, because web tests wait for servers; at most eight.
WORKERS = $(shell $(PYTHON) -c 'import os; print(min(8, (os.cpu_count() or 1) + 1))')
PYTEST = $(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal
SLOW := slow or browser or postgres or cluster

.PHONY: demo test test-fast test-all test-slow test-web coverage services lint bench fuzz lock clean

demo: $(STAMP)
	$(BIN)/axilla demo demo

# mypy uses one core for a minute, so lint and tests run in parallel.
test: $(STAMP)
	@$(MAKE) --no-print-directory --jobs 2 lint test-fast

test-fast: $(STAMP)
	$(PYTEST) -m "not ($(SLOW))"

test-all: test test-slow

# Whole studies, the browser, PostgreSQL and a Ray cluster: what `test` leaves out.
test-slow: $(STAMP) services
	$(PYTEST) -m "$(SLOW)"

# The web, as its users work; pictures of every page come into build/screenshots.
test-web: $(STAMP) services
	$(BIN)/pytest tests/web

# Lines of axilla that the fast tests run, its processes included; the hunt for bad inputs has limits of
# processor time, which coverage would exceed.
coverage: $(STAMP)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses $(WORKERS) --dist worksteal --ignore tests/fuzz -m "not ($(SLOW))"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered

# Chromium and PostgreSQL, where Debian's packages can be installed.
services:
	sh tests/web/services.sh

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m benchmarks

fuzz: $(STAMP)
	$(BIN)/python -m fuzz

lock: $(STAMP)
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --all-extras --upgrade \
	    --no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet --output-file requirements.lock

# The stamp is removed first, so an interrupted installation is repeated, never trusted. uv installs
# several times faster than pip, but does not read pip.conf: where only pip knows the way, pip installs.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "axilla needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	rm -f $(STAMP)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) "$$(grep '^uv==' requirements.lock)" && \
	    $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --requirement requirements.lock || \
	    $(INSTALL) --no-deps --requirement requirements.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	touch $(STAMP)

clean:
	rm -rf $(VENV) demo build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage
