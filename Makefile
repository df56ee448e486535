.PHONY: help demo run test check format lock clean

VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin

help:  ## show what there is
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

# The stamp is the last thing written, so an interrupted install is done again.
$(VENV)/.installed: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: $(VENV)/.installed  ## play a payment through a real gateway and print its timeline
	@$(BIN)/gateway demo

run: $(VENV)/.installed  ## run a gateway for development until Ctrl-C
	@$(BIN)/gateway run

test: $(VENV)/.installed  ## the whole test suite
	$(BIN)/python -m pytest -n 2 --dist loadgroup

check: $(VENV)/.installed  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/.installed  ## pin all dependencies anew
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --extra dev pyproject.toml -o requirements-dev.lock

clean:  ## remove what make and runs have made
	rm -rf $(VENV) .data .mypy_cache .pytest_cache .ruff_cache
