# make reproduce [SCALE=smoke|laptop|laptop-best|laptop-methods|laptop-stretch|paper]   environment, then the whole pipeline
# make test                                   environment, then the tests but the slow ones (ten minutes)
# make test-all                               all tests (half an hour)
# make test-oldest                            make test with the oldest packages that pyproject.toml allows, in .venv-oldest;
#                                             needs Python 3.11
# make check                                  format, lint, types, lint of the workflow
# make endurance                              fifty kills of a training and of the whole smoke pipeline, 200 flipped
#                                             bits of every kind of file, ... (hours); see benchmarks/results/endurance.csv
# make bench                                  the tables of speed, on a machine that does nothing else (half an hour)
# make mutations [MINUTES=30]                 is every wrong formula noticed by the tests? Those that are new or whose
#                                             file changed; all of them take hours; see tests/mutations.csv
# make publish [SCALE=laptop]                 ship the tables of a finished run in published/
# make paper [SCALE=laptop]                   paper/build/published-SCALE.pdf from shipped tables, without any training
# make pages                                  the generated parts of README and docs from shipped tables
# make lock                                   rewrite requirements.lock and requirements.oldest.lock
# make schema                                 rewrite the JSON schema of the configuration
# Needs Python 3.11 or newer with venv, and the network once, to install the packages of requirements.lock.

SCALE ?= laptop
VENV ?= .venv
OLDEST_VENV ?= .venv-oldest
OLDEST_PYTHON ?= python3.11
LOCK := requirements.lock
TESTS :=
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	$$name -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; \
	done)

SHELL := /bin/bash
export PATH := $(abspath $(VENV))/bin:$(PATH)
unexport PYTHONPATH PYTHONHOME

# In containers and with a full quota: where no files can be kept in the home directory or the temporary one, caches and
# temporary files go to this folder. Snakemake stops where HOME is not known
HOME ?= $(CURDIR)/.cache/home
takes_files = $(shell mkdir -p "$(1)" 2>/dev/null && file=$$(mktemp -p "$(1)" 2>/dev/null) && \
	{ head -c 65536 /dev/zero >"$$file"; } 2>/dev/null && echo yes; rm -f "$$file")
ifeq ($(call takes_files,$(or $(XDG_CACHE_HOME),$(HOME)/.cache)),)
export XDG_CACHE_HOME := $(CURDIR)/.cache
endif
ifeq ($(call takes_files,$(or $(TMPDIR),/tmp)),)
export TMPDIR := $(shell mkdir -p "$(CURDIR)/.cache/tmp" && echo "$(CURDIR)/.cache/tmp")
endif
export HOME

.PHONY: reproduce test test-all test-oldest check endurance bench mutations paper pages publish environment lock schema

# One line says where the whole run is; what Snakemake itself says is in .snakemake/log
reproduce: environment
	snakemake --logger gradalign --logger-gradalign-results results/$(SCALE) --cores all --config scale=$(SCALE)

PYTEST := python -m pytest --numprocesses auto --dist loadfile

test: environment
	$(PYTEST) --no-loadscope-reorder -m "not slow" $(TESTS)

test-all: environment
	$(PYTEST) --no-loadscope-reorder $(TESTS)

test-oldest:
	$(MAKE) environment VENV=$(OLDEST_VENV) LOCK=requirements.oldest.lock PYTHON=$(OLDEST_PYTHON)
	PATH=$(abspath $(OLDEST_VENV))/bin:$$PATH $(PYTEST) -m "not slow" $(TESTS)

check: environment
	ruff format --check
	ruff check
	mypy
	snakefmt --check Snakefile workflow
	python workflow/scripts/lint.py

endurance: environment
	python -m pytest -m endurance -s --kills 50 --flips 200 --whole-pipeline --counts benchmarks/results/endurance.csv

bench: environment
	python benchmarks/steps.py
	python benchmarks/floor.py
	python benchmarks/second_order.py
	python benchmarks/loop.py
	python benchmarks/table.py

mutations: environment
	python tests/mutation_check.py $(if $(MINUTES),--minutes $(MINUTES))

paper: environment
	python paper/build.py --published published/$(SCALE) --output paper/build/published-$(SCALE).pdf

pages: environment
	python -m figures.pages
	python benchmarks/table.py docs/results/speed.md

publish: environment
	python workflow/scripts/publish.py $(SCALE)

schema: environment
	python workflow/scripts/schema.py workflow/schemas/configuration.schema.json

COMPILE := uv pip compile --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	--no-emit-index-url --no-header --extra command-line --extra pipeline --extra test pyproject.toml

lock: environment
	$(COMPILE) -o requirements.lock
	$(COMPILE) --resolution lowest-direct -o requirements.oldest.lock

# Whether pip failed for want of a network, which its own last line does not say
EXPLAIN = if grep -qE 'NewConnectionError|NameResolution|ConnectTimeout|ReadTimeout|ProxyError' $(VENV)/pip.log; \
	then echo "This machine does not reach the package index: make needs the network once, to install the packages of" \
		"$(LOCK). Connect it, and start make again."; \
	else echo "pip could not install the packages of $(LOCK): see its message above."; fi >&2

environment: $(VENV)/installed

# Anew from nothing when the lock changes: no package of an older lock stays behind.
$(VENV)/installed: $(LOCK)
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer with the modules venv and ensurepip was found. Install one" \
		"(on Debian and Ubuntu: python3 and python3-venv) or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"$(PYTHON) is Python %d.%d; gradalign needs Python 3.11 or newer: make PYTHON=..." % sys.version_info[:2])'
	$(PYTHON) -m venv --clear $(VENV)
	@set -o pipefail; echo "Installing the packages of $(LOCK)"; \
	$(VENV)/bin/python -m pip install --disable-pip-version-check --quiet --require-hashes -r $(LOCK) 2>&1 \
		| tee $(VENV)/pip.log || { $(EXPLAIN); exit 1; }
	$(VENV)/bin/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	touch $@
