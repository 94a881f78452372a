# The commands of development. .ci/run calls the same targets, so that a check that passes here
# passes there. `make` lists them.
#
#   make test PYTHON=.venv/bin/python   another interpreter
#   make test WORKERS=4                 more processes for the tests; 0: none but pytest itself
#   make test TESTS=tests/envs          only a part of them

PYTHON ?= python
WORKERS ?= 2
TESTS ?=
PYTEST = $(PYTHON) -m pytest -n $(WORKERS) --dist loadgroup

.DEFAULT_GOAL := help
.PHONY: help install install-locked install-lowest lock audit resolve format lint types check test test-slow test-long test-avx2 wheel quickstart

help:  ## list these targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/' | expand -t 14

install:  ## install the packages, in place, and the tools of development
	$(PYTHON) -m pip install -c constraints.txt -e '.[dev]'

# Without isolation, because a build environment is filled without checking hashes.
install-locked:  ## install what requirements.lock names, checked by hash: Linux, Python 3.11, CPU
	$(PYTHON) -m pip install --require-hashes -r requirements.lock
	$(PYTHON) -m pip install --no-deps --no-build-isolation -e .

lock:  ## write requirements.lock again, with the newest versions; needs uv
	uv pip compile pyproject.toml --extra dev --constraints constraints.txt --upgrade --quiet \
	  --generate-hashes --no-annotate --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
	  --custom-compile-command 'make lock' --output-file requirements.lock

audit:  ## look up the packages of requirements.lock among known vulnerabilities
	.ci/audit

install-lowest:  ## install the oldest release of every dependency that is supported
	$(PYTHON) -m pip install -c constraints-lowest.txt -e '.[test,tables]'

resolve:  ## check that other libraries of reinforcement learning can share an environment
	$(PYTHON) -m pip install --dry-run --quiet -c constraints.txt . 'ray[rllib]' hydra-core tianshou \
	  torchrl sb3-contrib minari

format:  ## format the code and sort imports
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

lint:  ## style, format and spelling
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m codespell_lib

types:  ## static types
	$(PYTHON) -m mypy

check: lint types  ## lint and types

test:  ## the tests that take seconds
	$(PYTEST) $(TESTS)

test-slow:  ## the tests that take minutes
	$(PYTEST) -m slow $(TESTS)

test-long:  ## the tests that take hours: networks trained in full on published data
	$(PYTEST) -m long $(TESTS)

# Sums are rounded otherwise without AVX-512; what is learned must not hang on that.
test-avx2: export ATEN_CPU_CAPABILITY = avx2
test-avx2:  ## the tests of agents with the arithmetic of a processor without AVX-512
	$(PYTEST) tests/agents

wheel:  ## build the wheel in build/wheel and check that no module or scenario is missing
	rm -rf build
	$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	$(PYTHON) -m zipfile --list build/wheel/slaterec-*.whl > build/wheel/files
	@for name in licenses/LICENSE recsim/py.typed \
	  $$(git ls-files 'recsim/*.py' 'envs/*.py' 'agents/*.py' 'scenarios/*.yaml'); do \
	  grep --quiet "$$name" build/wheel/files || { echo "the wheel lacks $$name" >&2; exit 1; }; \
	done

quickstart:  ## play the scenario of the README; its run goes to build/runs
	$(PYTHON) -m recsim.run quickstart output=build/runs
