# Everything sets itself up: each target makes the virtual environment it needs.
PYTHON ?= python3
VENV := .venv
CHECKS := .venv-check
DOCS := .venv-docs
# Most tests wait for something rather than compute: more workers than cores are worth it. WORKERS=0: one after the other.
WORKERS ?= 6
PYTEST := -m pytest
# The many processes of the tests import what the first of them has compiled, wherever the setting came from.
unexport PYTHONDONTWRITEBYTECODE
PARALLEL := -n $(WORKERS) --dist worksteal
# Of the parameters of each test, each interpreter after the first runs every Nth, and each a different part.
ONE_IN ?= 3
# In CI, a test that fails beside others is run once more by itself, and reported if it passes then.
CACHE = -o cache_dir=$(1)/pytest-cache
ALONE = $(if $(CI),|| bash .ci/alone $(1))
# Where forked children do what nobody else does; measured by themselves, since saving figures slows each child down.
FORKS := tests/clients tests/fakes tests/taps tests/recording/test_channel.py -k forking

.PHONY: help demo test fuzz docs screenshots tests check lint types arrows coverage standin worlds interpreters lowest \
	conformance bench package clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/ready ## real clients against servers in fixtures, and what was recorded
	$(VENV)/bin/python $(PYTEST) examples -q

test: $(VENV)/ready ## the test-suite
	bash .ci/timed $@ $(VENV)/bin/python $(PYTEST) -q $(PARALLEL) $(call CACHE,$(VENV)) $(call ALONE,$(VENV))

FUZZED := $(addprefix tests/protocols/test_,redis.py dns.py http.py mqtt.py postgresql.py smtp.py websocket.py)
fuzz: $(VENV)/ready ## 100,000 mutated messages for each test of the decoders, in a few minutes
	WINDSOCK_EXAMPLES=50000 bash .ci/timed $@ $(VENV)/bin/python $(PYTEST) -q -n 2 tests/protocols/test_fuzz.py $(FUZZED)

check: lint types arrows docs standin worlds interpreters ## all that must hold before a change lands

docs: $(DOCS)/ready ## the documentation as a site, in build/docs, with a reference of all names
	$(DOCS)/bin/sphinx-build --quiet --fail-on-warning --keep-going --jobs auto -c docs/site docs build/docs
	$(DOCS)/bin/python $(PYTEST) -q -p no:cacheprovider docs/site

screenshots: $(VENV)/ready ## the pictures of a failure and of the traffic page on the pages; needs chromium
	$(VENV)/bin/python -m docs.failure_svg
	$(VENV)/bin/python -m docs.traffic_page_png

lint: $(CHECKS)/ready
	$(CHECKS)/bin/ruff check
	$(CHECKS)/bin/ruff format --check

types: $(CHECKS)/ready
	$(CHECKS)/bin/mypy

arrows: $(CHECKS)/ready
	$(CHECKS)/bin/lint-imports --no-cache

coverage tests interpreters: export WINDSOCK_EXAMPLES ?= 100
tests: $(CHECKS)/ready
	$(CHECKS)/bin/python $(PYTEST) -q $(PARALLEL) --one-in=$(ONE_IN) -p randomly $(call CACHE,$(CHECKS)) $(call ALONE,$(CHECKS))

coverage: $(CHECKS)/ready
	$(CHECKS)/bin/coverage erase
	$(CHECKS)/bin/python $(PYTEST) -q $(PARALLEL) --one-in=$(ONE_IN) -p pytest_cov --cov --cov-report= \
		$(call CACHE,$(CHECKS)) $(call ALONE,$(CHECKS))
	$(CHECKS)/bin/coverage run --rcfile=tests/coverage-of-children.toml $(PYTEST) -q --one-in=$(ONE_IN) $(FORKS)
	$(CHECKS)/bin/coverage combine -q --append
	$(CHECKS)/bin/coverage report

# What must work elsewhere, too; what the stand-in refuses to do is left out.
STANDIN := tests/net tests/relay tests/proxies tests/servers/selecting \
	$(addprefix tests/servers/test_,accepting.py children.py datagram_handlers.py orphans.py transports.py) \
	$(addprefix tests/harness/test_,accept.py any_class.py outage.py serving.py)
standin: $(VENV)/ready ## a part of the test-suite without what only Linux has, as a stand-in for macOS
	$(VENV)/bin/python $(PYTEST) -q $(PARALLEL) -p tests.support.standin --one-in=8 $(STANDIN) \
		-k "not abstract and not urgent and not records_refuses" -o cache_dir=$(VENV)/pytest-cache

# The suites of the family, the relays, the faults and of check_server() on the simulated network: one more transport.
WORLDS := tests/servers tests/relay tests/injection tests/faults/test_every_fault.py tests/testing/test_checks.py
worlds: $(VENV)/ready ## those suites in simulated worlds, a world for each test, and what cannot run there
	$(VENV)/bin/python $(PYTEST) -q $(PARALLEL) -p tests.support.in_world -p no:cacheprovider -r fE $(WORLDS)
	$(VENV)/bin/python $(PYTEST) -q $(PARALLEL) -p tests.support.in_world -p no:cacheprovider -r fE $(WORLDS) \
		--left-out --one-in=4

interpreters: ## the test-suite on the other interpreters that are installed, with coverage on the first of them
	bash .ci/every-interpreter $(PYTHON)

lowest: ## the tests that touch other libraries, with the lowest versions of them that are allowed
	bash .ci/lowest $(PYTHON)

conformance: ## the interpreters' own tests, with windsock.servers in the place of socketserver
	$(PYTHON) tests/conformance/run.py

bench: .venv-bench/ready ## figures, side by side with their peers
	.venv-bench/bin/python -m benchmarks

package: .venv-package/ready ## the wheel and the sdist in dist/, checked and tried in an empty environment
	bash .ci/package $(PYTHON) .venv-package

clean: ## remove what the other targets have made
	rm -rf .venv .venv-* dist build docs/reference .mypy_cache .pytest_cache .ruff_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/ready: pyproject.toml
	bash .ci/venv $(PYTHON) $(VENV) test cookbook

$(CHECKS)/ready: pyproject.toml
	bash .ci/venv $(PYTHON) $(CHECKS) test cookbook check

$(DOCS)/ready: pyproject.toml
	bash .ci/venv $(PYTHON) $(DOCS) docs

.venv-bench/ready: pyproject.toml
	bash .ci/venv $(PYTHON) .venv-bench bench

.venv-package/ready: pyproject.toml
	bash .ci/venv $(PYTHON) .venv-package package
