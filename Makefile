# The whole workflow in a few words. Each does its own set-up, and is quick when nothing has changed.
#
#   make run      start the SFU with a development key; prints links to click      (ARGS="--port 7890" passes options on)
#   make test     everything: lint, types, docs, and all tests, browsers included
#   make check    the same without the slow part: no browsers, no other people's peers
#
# and singly: setup fmt lint types cover docs bench

SHELL := /bin/bash
BIN := .venv/bin
PYTEST_ARGS ?= -q
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup setup-run setup-test run test fmt lint types cover docs bench check clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -n 8

setup:
	@.ci/setup dev

setup-run:
	@.ci/setup run

setup-test:
	@.ci/setup test

run: setup-run
	@exec $(BIN)/sfu serve --dev $(ARGS)

test: setup-test
	@.ci/test $(PYTEST_ARGS)

fmt: setup
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

lint: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: setup
	@$(BIN)/mypy

cover: setup
	@$(BIN)/python -m pytest -q --cover-cores tests/unit tests/laws tests/sim
	@$(BIN)/coverage html -q && echo "→ htmlcov/index.html"

docs: setup
	@$(BIN)/sphinx-build -n -W --keep-going -q -b html docs docs/_build/html && echo "→ docs/_build/html/index.html"

bench: setup
	@$(BIN)/python -m benchmarks $(ARGS)

check: setup
	@.ci/test $(PYTEST_ARGS) --ignore=tests/e2e --ignore=tests/interop

clean:
	@rm -rf .venv docs/_build htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/e2e/driver/node_modules tests/interop/node/node_modules
