# make demo: set everything up and let the robot call twelve simulated debtors.
# make test: everything that must be green.

PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3,$(shell command -v $(p) 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
# Where there is no npm, the one inside a Python wheel fetches the npm packages.
NPM_EXTRA := $(if $(shell command -v npm 2>/dev/null),,npm)
comma := ,

.PHONY: demo test lint setup setup-dev weights weights-test clean

demo: setup weights
	$(BIN)/voicebot demo

test: setup-dev weights-test lint
	$(BIN)/pytest -q

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: $(VENV)/.run
setup-dev: $(VENV)/.dev

$(VENV)/.python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed; name it with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
	  || { echo "$(PYTHON) is not Python 3.11 or 3.12; name one with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

$(VENV)/.run: $(VENV)/.python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".$(if $(NPM_EXTRA),[$(NPM_EXTRA)],)"
	touch $@

$(VENV)/.dev: $(VENV)/.run pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[dev$(if $(NPM_EXTRA),$(comma)$(NPM_EXTRA),)]"
	touch $@

weights: setup
	$(BIN)/voicebot models pull

weights-test: setup-dev weights
	$(BIN)/voicebot models pull vosk-en

# var/ stays: it holds the ledger, the recordings and the weights.
clean:
	rm -rf $(VENV) build dist *.egg-info
