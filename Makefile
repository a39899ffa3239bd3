# Two commands on a fresh machine: `make demo` and `make test`. Each does all its own set-up.
PYTHON ?= 3.11
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
BIN := .venv/bin
PINS := constraints.txt

.PHONY: demo test test-all check install lock clean
.DELETE_ON_ERROR:

demo: .venv/.installed
	$(BIN)/bench scale

test: .venv/.installed-dev
	$(BIN)/python -m pytest

# The statistical simulations and the injected faults too.
test-all: .venv/.installed-dev
	$(BIN)/python -m pytest -m "slow or statistics or faults or not slow"

check: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

install: .venv/.installed

# New pins: every package that any platform or extra needs, with hashes, and no index named.
lock: $(UV)
	$(UV) pip compile -q --universal --upgrade --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--extra timm --group dev --group parity pyproject.toml -o $(PINS)

.venv/.installed: pyproject.toml $(PINS) | $(UV)
	test -x $(BIN)/python || $(UV) venv -q --python $(PYTHON) .venv
	$(UV) pip install --python $(BIN)/python -c $(PINS) -e .
	touch $@

.venv/.installed-dev: .venv/.installed
	$(UV) pip install --python $(BIN)/python -c $(PINS) -e . --group dev
	touch $@

# uv from the package index, in a folder of its own, when the machine has none.
.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/pip install -q uv

clean:
	rm -rf .venv .uv build dist
