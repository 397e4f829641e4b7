# Short commands, the same here and in continuous integration. Paths are relative, so a clone may live anywhere,
# also below a folder with a space in its name.

PYTHON := .venv/bin/python
PLUGINS := $(wildcard plugins/*/src)
DOCS := $(wildcard tests/docs)
PYTEST := $(PYTHON) -m pytest -q

.DEFAULT_GOAL := help
.PHONY: help setup setup-run setup-dev run test test-all check bench bench-peers bench-authority chaos mutants index coverage format constraints clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '  %-18s %s\n' "$$name" "$$text"; done

setup: setup-dev ## install everything, also what tests and checks need

setup-run:
	@sh scripts/setup.sh run </dev/null >&2

setup-dev:
	@sh scripts/setup.sh dev </dev/null >&2

run: setup-run ## chat in the terminal; with a pipe: one message a line in, answers out
	@$(PYTHON) -m gitu_core chat

test: setup-dev ## run the tests
	$(PYTEST) -n 3 -m "not slow"

test-all: check ## check, then run every test, slow ones included
	$(PYTEST) -n 3

check: setup-dev ## style, types, layers, documentation, size of the core, public names
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy --strict gitu_core $(PLUGINS)
	$(PYTHON) -m mypy --strict -m scripts.compile_sql -m scripts.api
	$(PYTEST) tests/architecture $(DOCS)
	$(PYTHON) scripts/core_size.py
	$(PYTHON) scripts/api.py

bench: setup-dev ## run the benchmarks: figures, limits, verdicts
	$(PYTHON) -m tests.benchmarks

chaos: setup-dev ## let processes die, disks fill up and clocks jump; print which invariants held
	$(PYTHON) -m tests.chaos

mutants: setup-dev ## show which law of the contracts catches which deliberately wrong plugin
	$(PYTHON) -m tests.mutants

bench-peers: setup-dev ## install other frameworks into .bench and measure them beside Gitu
	@sh scripts/bench_peers.sh </dev/null >&2
	$(PYTHON) -m tests.benchmarks peers

bench-authority: setup-dev ## install AgentDojo's tasks into .bench-authority and let obedient models attack their user
	@sh scripts/bench_authority.sh </dev/null >&2
	$(PYTHON) -m tests.benchmarks.bench_authority $(ARGS)

index: setup-dev ## build a signed index of the plugins of this repository: make index KEY=publisher.pem [OUT=folder]
	$(PYTHON) scripts/plugin_index.py $(KEY) $(OUT)

coverage: setup-dev ## measure the branches of the core that the tests reach
	$(PYTHON) -m coverage erase
	$(PYTHON) -m coverage run -m pytest -q -n 3
	$(PYTHON) -m coverage combine --quiet
	$(PYTHON) -m coverage report
	$(PYTHON) -m coverage json --quiet
	$(PYTHON) scripts/branch_coverage.py

format: setup-dev ## repair what can be repaired, sort imports, format
	$(PYTHON) -m ruff check --fix --quiet --exit-zero .
	$(PYTHON) -m ruff format .

constraints: ## pin the newest versions of all dependencies
	@sh scripts/constraints.sh

clean: ## remove everything that these commands made
	rm -rf .venv .tools .screens .bench .bench-authority .mypy_cache .pytest_cache .ruff_cache .hypothesis htmlcov build dist
	rm -f .coverage .coverage.* coverage.json
	find . -type d -name __pycache__ -prune -exec rm -rf {} +
