.PHONY: help demo run test test-sdk chaos fuzz bench check docs screenshots dictionary format lock clean

VENV := .venv
SDK_VENV := .venv-sdk
BENCH_VENV := .venv-bench
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

# Both locks are complete, so nothing is resolved anew.
$(SDK_VENV)/.installed: requirements-dev.lock requirements-sdk.lock
	$(PYTHON) -m venv $(SDK_VENV)
	$(SDK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		-r requirements-dev.lock -r requirements-sdk.lock
	touch $@

# As in production but for Celery and psutil: what the tools bring along would count as memory.
$(BENCH_VENV)/.installed: requirements-bench.lock
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: $(VENV)/.installed  ## play a payment through a real gateway and print its timeline
	@$(BIN)/gateway demo

run: $(VENV)/.installed  ## run a gateway for development until Ctrl-C
	@$(BIN)/gateway run

test: $(VENV)/.installed  ## the whole test suite; the browser's part needs Chromium
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-sdk: $(SDK_VENV)/.installed  ## hold our verdicts against those of the providers' own SDKs
	$(SDK_VENV)/bin/python -m pytest --disable-socket tests/sdk

chaos: $(VENV)/.installed  ## break gateways under 100,000 webhooks, and write down what came of it
	$(BIN)/python tests/chaos/run.py

fuzz: $(VENV)/.installed  ## put a million broken deliveries through every adapter
	$(BIN)/python tests/fuzz/run.py $(SEED)

bench: $(BENCH_VENV)/.installed  ## measure against honest baselines, and write down the table
	$(BENCH_VENV)/bin/python benchmarks/run.py

check: $(VENV)/.installed  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed  ## make the pages that are made of the code
	$(BIN)/python -m providers.catalog > docs/providers.md

screenshots: $(VENV)/.installed  ## make the pictures of docs/console.md anew; needs Chromium
	$(BIN)/python tools/take_screenshots.py

dictionary: $(VENV)/.installed  ## make a new dictionary for packing deliveries
	$(BIN)/python tools/train_dictionary.py

format: $(VENV)/.installed  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/.installed  ## pin all dependencies anew
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --extra dev pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --extra sdk \
		--constraints requirements-dev.lock --overrides tests/sdk/overrides.txt pyproject.toml -o requirements-sdk.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --extra bench \
		--constraints requirements-dev.lock pyproject.toml -o requirements-bench.lock

clean:  ## remove what make and runs have made
	rm -rf $(VENV) $(SDK_VENV) $(BENCH_VENV) .data .mypy_cache .pytest_cache .ruff_cache
