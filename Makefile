# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

# Every target installs what it needs into .venv, once.

PYTHON ?= python3
BIN := .venv/bin
# Options for `make bench`, such as BENCH="small_files --json out.json".
BENCH ?= all --json build/bench.json
RIVALS := .venv-rivals
# Azurite, a server for tests, comes from npm; where there is no npm, its tests skip and say so.
AZURITE := build/azurite
AZURITE_VERSION := 3
QUICK_TESTS := $(filter-out tests/integration/,$(sort $(wildcard tests/*/))) $(sort $(wildcard tests/test_*.py))
SLOW_TESTS := $(wildcard tests/integration)

.PHONY: demo test check bench docs servers clean
.NOTPARALLEL:
.DELETE_ON_ERROR:

demo: .venv/.installed ## Generate a small data set, train on it, print the summary.
	$(BIN)/dl-driver run demo --results results/demo

test: .venv/.installed-dev servers ## The quick tests, then the slower ones.
	$(BIN)/python -m pytest $(QUICK_TESTS) $(SLOW_TESTS)

check: .venv/.installed-dev ## Style, types, layers, licences, documentation.
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/reuse lint --quiet || $(BIN)/reuse lint
	@site=$$(mktemp -d) && $(BIN)/mkdocs build --strict --quiet --site-dir "$$site"; status=$$?; rm -rf "$$site"; exit $$status

bench: .venv/.installed-dev $(RIVALS)/.installed ## Measure beside the rivals; see benchmarks/README.md.
	mkdir -p build
	$(BIN)/python -m benchmarks $(BENCH)

docs: .venv/.installed-dev ## Build the documentation into site/.
	$(BIN)/mkdocs build --strict

servers: $(AZURITE)/.installed ## Install the test servers that PyPI does not have.

clean: ## Remove what the other targets made, the environments included.
	rm -rf .venv .venv-rivals build dist site results .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/.installed-dev: pyproject.toml .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

$(AZURITE)/.installed:
	mkdir -p $(AZURITE)
	if command -v npm >/dev/null; then npm install --silent --no-audit --no-fund --omit=dev --prefix $(AZURITE) azurite@$(AZURITE_VERSION); \
	else echo "npm is not installed: tests with Azurite will skip" >&2; fi
	if test -d $(AZURITE)/node_modules; then touch $@; fi

# The rivals have an environment of their own, so that what they need cannot change what is measured here.
$(RIVALS)/.installed: pyproject.toml benchmarks/install_rivals.py
	$(PYTHON) -m venv $(RIVALS)
	$(PYTHON) benchmarks/install_rivals.py $(RIVALS)
	touch $@
