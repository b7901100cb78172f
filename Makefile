.DEFAULT_GOAL := help
.PHONY: help demo documentation-images engine-conformance test unit drills examples bench dist lint static-checks check environment \
  test-environment lint-environment packages down clean

VENV := .local/venv/bin
# Where it is set, each of the hundreds of Python processes of a run compiles all that it imports.
export PYTHONDONTWRITEBYTECODE :=

help:
	@echo "make demo   apply the stack to the local engine, send real pictures through it, show, clean up"
	@echo "            and its web console; KEEP=1 leaves both running, PHOTO=path adds a picture of yours, REGION=, PORT="
	@echo "make test   everything: lint, unit, terraform test, end to end on the local engine"
	@echo "make unit   the unit tests that need no engine, Terraform, checkov or packages; TESTS=path"
	@echo "make drills every fault against every pipeline, a thousand events each; takes its time"
	@echo "            EVENT_PIPELINES_DRILL_SEED=, EVENT_PIPELINES_DRILL_EVENTS=, ONLY=kills"
	@echo "make examples apply every example to the local engine, try it and destroy it; open every page"
	@echo "make engine-conformance facts about AWS against the local engine; AWS=1 against your account, TABLE=1"
	@echo "            writes the table of agreement, ONLY=sqs-"
	@echo "make bench  what it all takes, against what people would write or pick instead;"
	@echo "            takes two hours; QUICK=1 for a look, CHECKOUTS= for other modules as well"
	@echo "make dist   the wheel of the command, the same bytes on every machine, into dist/"
	@echo "make down   stop what KEEP=1 left running"
	@echo "make clean  remove .local/ and build/"

demo: environment packages
	@$(VENV)/event-pipelines local demo $(if $(KEEP),--keep) $(if $(PHOTO),--photo "$(PHOTO)") \
	  $(if $(REGION),--region "$(REGION)") $(if $(PORT),--port "$(PORT)")

# Of what KEEP=1 left running: a terminal session and the pages.
documentation-images: test-environment
	@$(VENV)/python tools/documentation_images.py

# Checkov keeps one processor busy, so it runs among the other tests here.
test: packages static-checks
	@$(MAKE) --no-print-directory check TESTS="$(or $(TESTS),tests)"

# The loop of daily work: no engine, no Terraform, no packages, no checkov. Workers take longer to start
# than the tests of one file to run.
unit: test-environment
	@$(VENV)/python -m pytest --quiet $(or $(TESTS),tests/unit --ignore tests/unit/lint \
	  --ignore tests/unit/tools --numprocesses auto --dist loadgroup --no-loadscope-reorder)

# Terraform waits more than it works, so more workers than cores; every file stays in one worker
# because its tests share an engine. Without a Chromium the tests in it are listed as not run. What asks checkov needs
# what `make lint` installs. Terraform and its provider collect garbage a quarter as often as they would, which spares a tenth of their
# processor time. An interpreter that crashes says where.
check: test-environment packages
	@tools/browser.sh
	@EVENT_PIPELINES_LAMBDA_PYTHON="$(abspath .local/lambda-runtime/bin/python)" GOGC=400 PYTHONFAULTHANDLER=1 \
	  $(VENV)/python -m pytest --numprocesses 6 --dist loadgroup --no-loadscope-reorder \
	  $(or $(TESTS),tests --ignore tests/unit/lint)

# A short form of them is among the tests.
drills: test-environment packages
	@$(VENV)/python -m pytest tests/faults/test_drills.py --full $(if $(ONLY),-k "$(ONLY)")

# The tests run them, too, and hold the table.
engine-conformance: test-environment
	@PYTHONPATH=tests $(VENV)/python -m conformance $(if $(AWS),--aws) $(if $(TABLE),--write-table) \
	  $(if $(ONLY),--only "$(ONLY)")

# `make test` only plans them. Pages are opened in a Chromium, or it is said how to install one; the wheel is built
# and installed.
examples: test-environment packages
	@$(VENV)/python -m pytest tests/local/test_examples.py tests/local/test_pages.py tests/local/test_wheel.py --full

# One after the other, each beside what it is compared with; the model of costs behind what it counts
# on. `make test` comes first: it would find that the table is not of the results that are made later.
# Those of other modules need copies of their repositories: docs/comparison.md.
BENCHMARKS := make_targets images cold_start csv_split csv_load cost engine_linearity \
  reconcile_inventory large_accounts

bench: test-environment packages
	@tools/environment.sh bench
	@set -e; for name in $(BENCHMARKS); do \
	  echo "benchmarks/$$name.py"; \
	  $(VENV)/python "benchmarks/$$name.py" $(if $(QUICK),--quick,>/dev/null); \
	done
ifndef QUICK
	@echo "benchmarks/capacity.py"
	@$(VENV)/python benchmarks/capacity.py >/dev/null
	@$(VENV)/python benchmarks/capacity.py --validate >/dev/null
ifdef CHECKOUTS
	@echo "benchmarks/module_comparison.py"
	@$(VENV)/python benchmarks/module_comparison.py "$(CHECKOUTS)" --only none --apply --keep >/dev/null
else
	@echo "Not compared with other modules: say where they are with CHECKOUTS=, see docs/comparison.md."
endif
	@$(VENV)/python benchmarks/table.py
	@.local/bench/bin/python benchmarks/plots.py
endif

dist:
	@tools/environment.sh dist
	@tools/wheel.sh dist

# Checkov runs once, in tests/unit/lint: what it finds without .checkov.yaml's skips must be these skips.
lint: static-checks
	@$(VENV)/python -m pytest --quiet tests/unit/lint

static-checks: lint-environment
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(VENV)/shellcheck build.sh tools/*.sh .ci/run
	@$(VENV)/shfmt -d -i 2 build.sh tools/*.sh .ci/run
	@terraform fmt -check -recursive -diff
	@tools/validate.sh
	@$(VENV)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(VENV)/check-jsonschema --quiet --builtin-schema vendor.github-actions action.yml
	@$(VENV)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(VENV)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms \
	  .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/feature.yml
	@$(VENV)/zizmor --quiet --offline action.yml .github/workflows/*.yml .github/dependabot.yml

# The functions, built for this machine: the engine runs them with this machine's Python.
packages: environment
	@PYTHON=$(VENV)/python ./build.sh --host --output .local/build

environment:
	@tools/environment.sh local

test-environment:
	@tools/environment.sh test

lint-environment:
	@tools/environment.sh lint

down:
	@$(VENV)/event-pipelines local down

clean:
	@if [ -x $(VENV)/event-pipelines ]; then $(VENV)/event-pipelines local down; fi
	@rm -rf .local build
