# Everything a newcomer needs: Python 3.11 or newer and make. `make demo` is the way in.

VENV ?= .venv
BIN := $(VENV)/bin
# Any Python that is new enough and can make environments; PYTHON=... chooses another.
SUITABLE := -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" $(SUITABLE) && echo "$$p" && break; done)

# `hoc` and its tests start many processes: without cached bytecode each would compile the whole program first.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test fuzz test-clients check lint bench schema constraints environment clean

demo: environment  ## start everything with demo data and serve
	@$(BIN)/hoc demo

# Not reordered: files of few, slow tests would come last, and one worker would end long after the others.
test: environment  ## all tests; a file has one database, and stays with one worker
	@$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

fuzz: environment  ## compiled execution against graphql-core, until they differ or it is stopped
	@HOC_FUZZ=1 $(BIN)/python -m pytest tests/resolvers/execution/test_differential.py -k whatever

test-clients: environment  ## every client tool against a real server; those that need Node only where it is
	@$(BIN)/python .ci/client_tools.py

check: lint  ## lint, types, import contracts, architecture
	@$(BIN)/python -m pytest --quiet tests/architecture

lint: environment
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: environment  ## the API beside hand-written endpoints and an ordinary server; BENCH="--runs 100000" and more choose
	@$(BIN)/python -m tests.bench $(BENCH)

schema: environment  ## write schema/schema.graphql anew
	@$(BIN)/hoc schema export

constraints: environment  ## pin again what pyproject.toml and the client tools ask for, keeping pins that still fit
	@CUSTOM_COMPILE_COMMAND="make constraints" $(BIN)/pip-compile $(PINNED) --extra dev --all-build-deps \
		--output-file constraints.txt pyproject.toml
	@for tool in ariadne gql; do CUSTOM_COMPILE_COMMAND="make constraints" $(BIN)/pip-compile $(PINNED) \
		--output-file .ci/clients/constraints-$$tool.txt .ci/clients/requirements-$$tool.in || exit 1; done

# Hashes of every file of a version, so that one list serves all platforms; no package host is written down.
PINNED := --quiet --resolver backtracking --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options

environment:
	@"$(PYTHON)" $(SUITABLE) || { echo "HOC Spine needs Python 3.11 or newer with its venv module (on Debian and Ubuntu:" \
		"apt install python3-venv). Name one with: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@"$(PYTHON)" .ci/environment.py "$(VENV)" constraints.txt --editable

clean:  ## remove environments and caches; data stays
	@rm -rf .venv .venv-ci .venv-clients .ci/clients/node_modules .ci/clients/generated
	@rm -rf build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
