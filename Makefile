# Every target sets up what it needs in .venv; nothing else is touched.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: serve test fuzz soak hostile lint bench page clean

serve: $(STAMP)  ## serve on 127.0.0.1:8080
	$(BIN)/tchat-server $(ARGS)

test: $(STAMP) lint  ## everything CI checks
	$(BIN)/python -m pytest

fuzz: $(STAMP)  ## look for bytes that do harm, for SECONDS
	PYTHONPATH=tests $(BIN)/python -m fuzz.fuzz --seconds $(or $(SECONDS),60)
	PYTHONPATH=tests $(BIN)/python -m fuzz.cost || echo "some frame cost more than promised: see above"

soak: $(STAMP)  ## a storm of clients for SECONDS, then the invariants
	PYTHONPATH=tests $(BIN)/python -m soak.soak --seconds $(or $(SECONDS),90)

hostile: $(STAMP)  ## attacks beside honest clients, in full (an hour); ONLY="name name": some of them
	cd tests && $(CURDIR)/$(BIN)/python -m hostile $(ONLY)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd spec/conformance && $(CURDIR)/$(BIN)/mypy --strict .

bench: $(STAMP)  ## how fast it is, beside other servers: tests/bench/README.md
	$(BIN)/python tests/bench $(ARGS)

page: $(STAMP)  ## write the words of `tchat` again for the page in the browser
	$(BIN)/python -m tchat_client.page_words tchat_server/page/words.js

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "tchat needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv .venv || \
	  { echo "no venv module here: install it first (Debian, Ubuntu: apt install python3-venv)"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .hypothesis
