# Each target sets up what it needs, then does it. `make run` and `make test` are the two to know.
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
# The first interpreter that is really there and new enough; a pyenv shim may answer to a name and still refuse.
PYTHON := $(shell for name in python3.11 python3.12 python3.13 python3 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$name; break; }; done)
READY := $(VENV)/ready
READY_DEV := $(VENV)/ready-dev
AUDIT := $(VENV)/audit/ready
# Hundreds of short processes are started here: what one has compiled the others need not compile again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run dashboard test check bench torture docker-test sbom audit lock clean

help: ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

run: $(READY) ## Trade one simulated hour at 60 times the speed, then print the report.
	@SIMULATION_SPEED=$${SIMULATION_SPEED:-60} $(BIN)/trade-agent run
	@echo "Pages about it: make dashboard"

dashboard: $(READY) ## Serve the pages of what `make run` does, or did, on http://127.0.0.1:8050.
	@$(BIN)/trade-agent dashboard

# Tests of sessions, browsers and servers wait for much of their time: four workers keep two cores busy, and a few tests at a
# time go to each.
test: $(READY_DEV) ## Run all tests (installs a Redis server and a browser for them where it may).
	@sh tests/install_servers.sh
	@$(BIN)/python javascript/fetch.py --tests
	$(BIN)/pytest -n 4 --maxschedchunk 8

check: $(READY_DEV) ## Formatting, lint, types, import rules.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY_DEV) ## Run the benchmarks and print their numbers.
	@for benchmark in benchmarks/*.py; do echo "== $$benchmark"; $(BIN)/python $$benchmark; done

# A failing seed is printed with the command that repeats it.
SEEDS ?= 200
torture: $(READY_DEV) ## Kill the daemon at random under random faults, SEEDS=200 times or for MINUTES=n, and compare the books.
	$(BIN)/python -m tests.torture.run $(if $(MINUTES),--minutes $(MINUTES),--seeds $(SEEDS))

docker-test: ## Build the image and try it with docker-compose, in scenarios; ONLY=name,name runs some.
	@$(PYTHON) -m tests.docker.session $(ONLY)

docker-soak: ## Run the container for MINUTES=10 with everything at work, and sample memory and open files.
	@$(PYTHON) -m tests.docker.session soak --minutes $(or $(MINUTES),10)

sbom: $(READY) $(AUDIT) ## Write what a release is made of (CycloneDX) into dist/.
	@$(VENV)/audit/bin/python dependencies/sbom.py dist/sbom.cdx.json $(BIN)/python

audit: | $(VENV) ## Ask whether a known weakness is in a pinned package; in CI it only tells.
	@$(BIN)/python dependencies/audit.py

lock: $(READY_DEV) ## Resolve the dependencies anew into the lock files.
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev $(LOCK_OPTIONS) -o requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --extra build --extra notify $(LOCK_OPTIONS) -c requirements-dev.lock -o requirements.lock
	$(BIN)/uv pip compile --group node $(LOCK_OPTIONS) -o requirements-node.lock
	$(BIN)/uv pip compile --group audit $(LOCK_OPTIONS) -o requirements-audit.lock
	$(BIN)/uv pip compile --group ccxt --no-deps $(LOCK_OPTIONS) -o requirements-ccxt.lock

LOCK_OPTIONS := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links

clean: ## Remove what was built; ledgers under data/ stay.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# What the program needs, and nothing else.
$(READY): requirements.lock pyproject.toml javascript/package-lock.json | $(VENV)
	@echo "Setting up $(VENV) (once; a minute or two) ..."
	@$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(MAKE) --no-print-directory package
	@touch $@

# What the tests and the checks need besides.
$(READY_DEV): requirements-dev.lock requirements-ccxt.lock pyproject.toml javascript/package-lock.json | $(VENV)
	@echo "Setting up $(VENV) for development (once; a minute or two) ..."
	@$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/pip install -qq --disable-pip-version-check --require-hashes --no-deps -r requirements-ccxt.lock
	@$(MAKE) --no-print-directory package
	@touch $@ $(READY)

# What `make sbom` and `make audit` need, apart from what the program is tested with.
$(AUDIT): requirements-audit.lock | $(VENV)
	@$(BIN)/python -m venv $(VENV)/audit
	@$(VENV)/audit/bin/pip install -qq --disable-pip-version-check --require-hashes -r requirements-audit.lock
	@touch $@

.PHONY: package
# The dashboard's JavaScript comes from npm; where there is none, from Node.js as a Python package.
package:
	@command -v npm >/dev/null || $(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements-node.lock
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .

$(VENV):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and none was found." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
