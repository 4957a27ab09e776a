# Branchwatch needs Python 3.11 or later and make; everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo test trials check bench build clean

build: $(VENV)/.run

demo: $(VENV)/.run
	$(BIN)/branchwatch demo $(ARGS)

# Tests wait more than they compute, so four processes share the machine's cores; in this order the long ones do not come last.
test: $(VENV)/.test
	sh tests/debian_packages.sh
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

# What the tests do a few times, often and long: kills, and a store that is away for two minutes.
trials: $(VENV)/.test
	sh tests/debian_packages.sh
	KILLS=50 STORE_OUTAGE_S=120 $(BIN)/python -m pytest -n 2 --dist loadfile -o timeout=600 \
		tests/collector/test_kill_loops.py tests/collector/test_duckdb_kills.py \
		tests/collector/test_influxdb_kills.py tests/collector/test_influxdb_outage.py $(ARGS)

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.test
	$(BIN)/python -m bench.rules --json
	$(BIN)/python -m bench.ingest --seconds 10 --json
	$(BIN)/python -m bench.recovery --json
	$(BIN)/python -m bench.gateway --json

$(VENV)/.run: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Branchwatch needs Python 3.11 or later; set PYTHON=/path/to/python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

# dc09_spt, a foreign alarm panel for the tests, names a dead crypto package; pyproject.toml lists the living one.
$(VENV)/.test: $(VENV)/.run
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[check]'
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps dc09_spt
	touch $@

clean:
	rm -rf $(VENV) build dist
