# CapDec Book: every step of the book's life. PROFILE and DEVICE are the two variables a user sets. Left to `auto`,
# DEVICE is a GPU where torch sees one, and `reproduce` takes the PROFILE that the machine can carry; all else, scenes.
PROFILE ?= auto
DEVICE  ?= auto
PYTHON  ?= python3

VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
CAPDEC := $(BIN)/capdec
OPTIONS = --profile $(PROFILE:auto=scenes) --device $(DEVICE)

.DEFAULT_GOAL := help
.PHONY: help env reproduce plan smoke study report reference miniature towers test lint bench lock sync clean

help:  ## Show this list
	@echo "CapDec Book: make TARGET [PROFILE=$(subst $(eval ) ,|,$(sort $(basename $(notdir $(wildcard capdec_core/profiles/*.toml)))))] [DEVICE=cpu|cuda|cuda:N]"
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/\1\t\2/' | expand -t 14

env: $(READY)  ## Set up .venv: locked packages, this package, Jupyter kernel

$(READY): requirements.lock pyproject.toml scripts/make_env.sh
	@PYTHON="$(PYTHON)" sh scripts/make_env.sh $(VENV)
	@touch $@

reproduce: $(READY)  ## Run the book: cells, notebooks, HTML report
	@$(CAPDEC) reproduce --profile $(PROFILE) --device $(DEVICE)

plan: $(READY)  ## What `make reproduce` would take here: cells, hours, disk, downloads
	@$(CAPDEC) plan --profile $(PROFILE) --device $(DEVICE)

smoke: $(READY)  ## The whole path at the smallest size
	@$(CAPDEC) reproduce --profile smoke --device $(DEVICE)

study: $(READY)  ## One study: make study NAME=prefix_length
	@$(CAPDEC) study "$(NAME)" $(OPTIONS)

report: $(READY)  ## Render the executed notebooks, or the reference results, as HTML
	@$(CAPDEC) report $(OPTIONS)

reference: $(READY)  ## Keep a finished book's results in results/reference
	@$(CAPDEC) reference $(OPTIONS)

miniature: $(READY)  ## Train the miniature CLIP anew (about a quarter of an hour)
	@$(CAPDEC) miniature --profile $(PROFILE:auto=scenes)

towers: $(READY)  ## Train the heads of the encoder `towers` anew on Flickr8k
	@$(CAPDEC) towers --device $(DEVICE)

test: $(READY) lint  ## Lint, type check and run the tests
	@$(BIN)/pytest -n 2 --dist worksteal

lint: $(READY)  ## ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: $(READY)  ## Speed against the reference recipe, as ratios (an hour on two cores)
	@$(BIN)/python -m benchmarks --device $(DEVICE:auto=cpu)

lock: $(READY)  ## Resolve pyproject.toml into requirements.lock and environment.yml
	@$(BIN)/python scripts/make_lock.py

sync: $(READY)  ## Bring notebooks and paired scripts together; write address, tag and reference results where they are told
	@$(BIN)/python scripts/stamp.py
	@$(BIN)/python scripts/headlines.py
	@$(BIN)/jupytext --quiet --sync notebooks/[0-9]*.py

clean:  ## Remove results and caches; the environment and committed artefacts stay
	@rm -rf results/benchmarks results/cells results/figures results/executed results/ledger results/report results/timings results/smoke results/workflow data/cache
