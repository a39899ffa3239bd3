# Two commands on a fresh machine: `make demo` and `make test`. Each does all its own set-up.
# PYTHON=3.12 (or a path) uses that Python, in an environment of its own beside the default one.
PYTHON ?=
PYTHONS := >=3.11,<3.14
VENV := .venv$(if $(PYTHON),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
PINS := constraints.txt
comma := ,
TRACKERS := huggingface,mlflow,tensorboard,wandb
# What reports are tested with: a browser for the page, and of TeX Live what has booktabs and siunitx (115 MB).
TOOLS := chromium=chromium pdflatex=texlive-latex-recommended kpsewhich=texlive-science pdftotext=poppler-utils
# pyenv hides a Python that is not switched on, so its folders are searched last.
SEARCH := $$PATH:$$(echo $$HOME/.pyenv/versions/*/bin | tr ' ' ':')
# A uv too old to know --group counts as none.
UV := $(shell uv pip install --help 2>/dev/null | grep -q -e --group && command -v uv || echo .uv/bin/uv)

.PHONY: demo test test-all test-statistics test-faults test-learning test-trackers test-browser test-latex test-wheel check docs docs-site gallery install lock release clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	$(BIN)/bench scale

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

# All the others too: slow, statistics, faults, learning, trackers, browser. An empty -m takes back the one in pyproject.toml.
test-all: $(VENV)/.installed-trackers $(VENV)/.installed-browser
	.ci/debian $(TOOLS)
	$(BIN)/python -m pytest -m ""

test-statistics test-faults test-learning: test-%: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m "$(or $(MARK),$*)"

test-trackers: $(VENV)/.installed-trackers
	$(BIN)/python -m pytest -m "$(or $(MARK),trackers)"

# The page in a real browser: Debian's Chromium, installed where it is missing and this is root.
test-browser: $(VENV)/.installed-browser
	.ci/debian $(TOOLS)
	$(BIN)/python -m pytest -m browser

# The LaTeX table by a real engine.
test-latex: $(VENV)/.installed-dev
	.ci/debian $(TOOLS)
	$(BIN)/python -m pytest -m slow tests/reports/text/test_latex.py

# The wheel in an empty environment, for each Python of WHEEL_PYTHONS that is here: WHEEL_PYTHONS="3.11 3.12 3.13".
test-wheel: $(VENV)/.installed-dev
	PATH="$(dir $(abspath $(UV))):$(SEARCH)" $(BIN)/python -m pytest -m wheel tests/wheel

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --strict --follow-imports=silent tests/typing/api.py
	$(BIN)/lint-imports --no-cache --no-logo

# The tables of docs/store.md and the columns of docs/glossary.md, from bench/store/schema.py.
docs: $(VENV)/.installed-dev
	$(BIN)/python docs/tables.py
	$(BIN)/python docs/keywords.py

# The pages as a site, in build/site; a link that leads nowhere ends it.
docs-site: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# The pages of docs/gallery, from the studies stored beside them.
gallery: $(VENV)/.installed-dev
	$(BIN)/python docs/gallery/build.py

install: $(VENV)/.installed

# New pins: every package that any platform or extra needs, with hashes, and no index named.
lock: $(UV)
	$(UV) pip compile -q --universal --upgrade --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--extra timm $(foreach each,$(subst $(comma), ,$(TRACKERS)),--extra $(each)) \
		--group dev --group trackers --group browser --group docs --group parity pyproject.toml -o $(PINS)

# Tag this commit and build its files into dist/, if it may be a release; nothing is uploaded.
release: $(VENV)/.installed-dev
	$(BIN)/python .ci/release $(abspath $(UV))

$(VENV)/.installed: pyproject.toml bench/version.py $(PINS) | $(UV) $(BIN)/python
	$(UV) pip install --python $(BIN)/python -c $(PINS) -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(UV) pip install --python $(BIN)/python -c $(PINS) -e . --group dev
	touch $@

$(VENV)/.installed-trackers: $(VENV)/.installed-dev
	$(UV) pip install --python $(BIN)/python -c $(PINS) -e '.[$(TRACKERS)]' --group trackers
	touch $@

$(VENV)/.installed-browser $(VENV)/.installed-docs: $(VENV)/.installed-%: $(VENV)/.installed-dev
	$(UV) pip install --python $(BIN)/python -c $(PINS) --group $*
	touch $@

$(BIN)/python: | $(UV)
	@PATH="$(SEARCH)" \
		$(UV) venv -q --python '$(or $(PYTHON),$(PYTHONS))' $(VENV) || { \
		echo "error: no Python $(or $(PYTHON),3.11 to 3.13) on this machine, and none could be downloaded." >&2; \
		echo "  Install one, or name yours:  make $(or $(MAKECMDGOALS),demo) PYTHON=/path/to/python3.12" >&2; exit 1; }

# uv from the package index, in a folder of its own, when the machine has none.
.uv/bin/uv:
	@echo "installing uv into .uv"; python3 -m venv .uv && .uv/bin/pip install -q uv || { \
		echo "error: uv could not be installed. It needs a python3 with venv and pip, and the package index." >&2; \
		echo "  On Debian and Ubuntu:  apt-get install python3-venv      or install uv yourself and put it on the PATH." >&2; \
		exit 1; }

clean:
	rm -rf .venv .venv-* .uv build dist
