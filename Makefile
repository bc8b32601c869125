# Every target sets up what it needs in .venv; nothing else is touched. PYTHON=python3.13 takes another Python.
PYTHON ?= python3
VENV ?= .venv
EXTRAS ?= test,docs
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Most tests wait for programs they have started: WORKERS=4 is faster on two processors, and some find it too busy.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --maxschedchunk 4
# What runs in seconds: the library, and the specification's data against it.
QUICK := tests/libtchat tests/spec/test_vectors.py tests/spec/test_spec.py tests/spec/test_scenarios.py \
  tests/project/test_architecture.py

.PHONY: serve cluster test check quick versions fuzz soak hostile drills lint types bench page manuals docs clean

serve: $(STAMP)  ## serve on 127.0.0.1:8080
	$(BIN)/tchat-server $(ARGS)

cluster: $(STAMP)  ## three servers of an engine and two nodes of one chat to play with, on 127.0.0.1:8080 and 8081
	$(BIN)/python examples/cluster.py $(PORTS)

test: $(STAMP) lint  ## everything CI checks; what measures time runs last and alone
	$(PYTEST) -m "not nightly and not alone"
	$(BIN)/python -m pytest -m alone

check: $(STAMP) lint quick  ## what is worth running before each commit: lint, types, the quick tests

quick: $(STAMP)
	$(PYTEST) $(QUICK)

versions: $(STAMP)  ## the quick tests on each other Python from 3.11 on that is found here, also among pyenv's
	@for version in 3.11 3.12 3.13 3.14 3.15; do \
	  for python in python$$version "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$$version.*/bin/python; do \
	    "$$python" -c '' 2>/dev/null || continue; \
	    [ "$$version" = "$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" ] && break; \
	    echo "Python $$version"; \
	    $(MAKE) --no-print-directory quick PYTHON="$$python" VENV=.venv-$$version EXTRAS=quick || exit 1; \
	    break; \
	  done; \
	done

fuzz: $(STAMP)  ## look for bytes that do harm, for SECONDS
	PYTHONPATH=tests/support $(BIN)/python -m fuzz.fuzz --seconds $(or $(SECONDS),60)
	PYTHONPATH=tests/support $(BIN)/python -m fuzz.cost || echo "some frame cost more than promised: see above"

soak: $(STAMP)  ## a storm of clients for SECONDS, then the invariants
	PYTHONPATH=tests/support $(BIN)/python -m soak.soak --seconds $(or $(SECONDS),90)

hostile: $(STAMP)  ## attacks beside honest clients, in full (30 minutes); ONLY="name name": some of them
	PYTHONPATH=tests:tests/support $(BIN)/python -m hostile $(ONLY)

drills: $(STAMP)  ## nodes and an engine's servers die and come back, CYCLES times each; ONLY="name name": some drills
	PYTHONPATH=tests:tests/support $(BIN)/python -m drills --cycles $(or $(CYCLES),10) $(ONLY)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd spec/conformance && $(CURDIR)/$(BIN)/mypy --strict .

types:  ## whether every public name has its type, as pyright sees the installed packages
	$(PYTHON) -m venv .venv-types
	.venv-types/bin/python -m pip install --quiet --disable-pip-version-check basedpyright .
	@cd .venv-types && for package in libtchat tchat_client; do \
	  PATH="$$PWD/bin:$$PATH" basedpyright --verifytypes $$package --ignoreexternal > $$package.txt; \
	  grep -H "error:\|completeness" $$package.txt; grep -q "completeness score: 100%" $$package.txt || exit 1; \
	done

bench: $(STAMP)  ## how fast it is, beside other servers: tests/bench/README.md
	$(BIN)/python tests/bench $(ARGS)

page: $(STAMP)  ## write the words of `tchat` again for the page in the browser
	$(BIN)/python -m tchat_client.page_words tchat_server/page

manuals: $(STAMP)  ## write the manual pages and completions again, from the commands
	PYTHONPATH=. $(BIN)/python contrib/manuals.py

docs: $(STAMP)  ## build the documentation into site/
	$(BIN)/python docs/site/stage.py
	$(BIN)/zensical build --strict --clean

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "tchat needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "no venv module here: install it first (Debian, Ubuntu: apt install python3-venv)"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	@touch $@

clean:
	rm -rf .venv .venv-* build dist site .cache .mypy_cache .ruff_cache .hypothesis
