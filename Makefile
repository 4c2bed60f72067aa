# Entry point and build graph. `make help` lists the targets.
# Every stage is a file rule: an interrupted make resumes, `make -n` plans, a finished one does nothing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m mtpeft
# From the environment alone (also `make MTPEFT_OUT=…`), as the package reads it; $(value) keeps a dollar sign as it is.
override OUT := $(or $(value MTPEFT_OUT),results/regenerated)

# Make splits names at blanks and gives a meaning to these signs; a path that has one is refused before anything is done.
empty :=
blank := $(empty) $(empty)
hash := \#
open := (
close := )
ODD := % : ; * ? [ ] ' " ` \ & | < > ~ ! $(hash) $(open) $(close) $$
odd = $(strip $(foreach sign,$(ODD),$(findstring $(sign),$1)) $(if $(findstring $(blank),x$1x)$(filter-out 0 1,$(words $1)),blank))
usable = $(if $(call odd,$2),$(error $1 is '$2'; expected a path without blanks and without any of $(ODD); \
  to fix: $1=/another/path make …))
$(call usable,MTPEFT_OUT,$(OUT))$(call usable,VENV,$(value VENV))

export PYTHONHASHSEED := 0
export LC_ALL := C.UTF-8
export TZ := UTC
export PYTHONDONTWRITEBYTECODE := 1
export RPY2_CFFI_MODE := ABI
export MPLBACKEND := Agg
# Repeatable sums of cuBLAS have to be asked for before CUDA starts; the package asks, too (tuning/seeding.py).
export CUBLAS_WORKSPACE_CONFIG := :4096:8

# ---------------------------------------------------------------- set-up (one environment, one stamp per group)

$(VENV)/bin/python:
	@bash docker/setup/venv.sh "$(PYTHON)" "$(VENV)"

$(VENV)/.core: docker/locks/core.txt docker/setup/venv.sh docker/setup/r.sh | $(VENV)/bin/python
	@bash docker/setup/r.sh
	@bash docker/setup/group.sh "$(VENV)" core

$(VENV)/.score $(VENV)/.dev $(VENV)/.train $(VENV)/.docs: $(VENV)/.%: docker/locks/%.txt docker/setup/group.sh | $(VENV)/.core
	@bash docker/setup/group.sh "$(VENV)" $*

# A build of torch that is asked for counts, whatever was installed before; a stamp cannot tell.
.PHONY: asked-for
$(VENV)/.train: $(if $(MTPEFT_TORCH),asked-for)
# Nor can the date of a stamp: a lock that says something else may be the older file.
$(foreach group,$(shell bash docker/setup/group.sh "$(VENV)" --stale),$(eval $(VENV)/.$(group): asked-for))

$(VENV)/.gradients: docker/locks/gradients.txt docker/setup/group.sh | $(VENV)/.train
	@bash docker/setup/group.sh "$(VENV)" gradients

.PHONY: setup
setup: $(VENV)/.core ## install the core environment and R | 1–2 min | 0.6 GB | no

# ---------------------------------------------------------------- T0 and T1: archive -> statistics -> report

ARCHIVE := $(wildcard results/archived/*/scores/*/*.csv results/published/*/*.csv)
# What `mtpeft archive import STUDY` brought in besides.
IMPORTED := $(wildcard $(OUT)/archived/*/scores/*/*.csv $(OUT)/published/*/*.csv)
# Folders of yours (MTPEFT_CATALOG, separated by colons) count like the shipped ones.
OUTSIDE := $(foreach folder,$(subst :, ,$(MTPEFT_CATALOG)),$(folder) $(wildcard $(folder)/*/study.yaml $(folder)/studies/*/study.yaml))
OUTSIDE := $(patsubst %/study.yaml,%,$(OUTSIDE))
CATALOG := $(wildcard code/mtpeft/catalog/*/*.yaml code/mtpeft/studies/*/*.yaml code/mtpeft/studies/*/*/*.yaml \
  $(foreach folder,$(OUTSIDE),$(folder)/*.yaml $(folder)/*/*.yaml $(folder)/scores/*/*.csv $(folder)/published/*.csv))
GROUND := $(wildcard code/mtpeft/core/*.py code/mtpeft/catalog/*.py)
FILES := $(OUT)/verification/files.csv
TESTS := $(OUT)/statistics/tests.csv
AUDIT := $(OUT)/audit/causes.csv
TESTS_T2 := $(OUT)/statistics/rescored.csv
AUDIT_T2 := $(OUT)/audit/rescored-causes.csv
VERDICTS := $(OUT)/verification/verdicts.csv
TABLES := $(OUT)/tables/.complete
FIGURES := $(OUT)/figures/.complete
REPORT := $(OUT)/report/.complete
PAGE := $(OUT)/report/index.html

$(FILES): $(ARCHIVE) results/archived/SHA256SUMS results/published/SHA256SUMS | $(VENV)/.core
	@$(RUN) check-files

# A stage writes the table that stands for it last. Where another one of its tables is missing, the stage runs again.
whole = $(if $(filter-out $(wildcard $(addprefix $(OUT)/,$(1))),$(addprefix $(OUT)/,$(1))),AGAIN)
.PHONY: AGAIN

$(TESTS): $(call whole,statistics/means.csv statistics/contrasts.csv) $(FILES) $(CATALOG) $(GROUND) $(IMPORTED) $(wildcard stats/*.R code/mtpeft/statistics/*.py) | $(VENV)/.core
	@$(RUN) statistics

$(AUDIT): $(call whole,audit/cells.csv audit/consistency.csv audit/scores.csv audit/repeated.csv) $(TESTS) $(wildcard code/mtpeft/audit/*.py)
	@$(RUN) audit

# Exit code 1 (an unexplained difference) must not keep the report from being written; `verdict` returns it at the end.
# What `make rescore`, `mtpeft verify predictions` and `mtpeft verify seeds` leave behind is verified too: one list, read by the stage as well.
$(VERDICTS): $(AUDIT) $(TESTS) $(FILES) $(wildcard code/mtpeft/verification/*.py code/mtpeft/verification/*/*.py \
  $(AUDIT_T2) $(addprefix $(OUT)/,$(shell cat code/mtpeft/verification/later.txt)))
	@$(RUN) verify --quiet || [ $$? -eq 1 ]

RENDERING := $(wildcard code/mtpeft/reporting/*.py code/mtpeft/reporting/*/*)

$(TABLES): $(VERDICTS) $(RENDERING)
	@$(RUN) tables && touch $@

$(FIGURES): $(VERDICTS) $(RENDERING)
	@$(RUN) figures && touch $@

$(REPORT): $(TABLES) $(FIGURES) $(wildcard $(OUT)/training/flaky-cpu/results.csv $(OUT)/smoke-heads/smoke.csv \
  results/proofs/*/*.csv $(OUT)/proofs/*/full/*.csv)
	@$(RUN) report && touch $@

.PHONY: reproduce-all statistics audit verify report archive check-files documents known-issues
reproduce-all: ## everything from the archive to the verified report | 1 min | 17 MB | no
	@if $(MAKE) --no-print-directory -q $(REPORT) 2>/dev/null && $(RUN) check-files >/dev/null; then \
	  echo "mtpeft: nothing to do: every result is up to date ($(PAGE))"; \
	else $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j2) $(REPORT); fi
	@$(RUN) verdict

check-files: | $(VENV)/.core ## T0: archived files against their checksums | 1 s | | no
	@$(RUN) check-files

statistics: $(TESTS) ## T1: every test of study A, as published and corrected | 10 s | 1 MB | no

audit: $(AUDIT) ## causes of what does not reproduce; the scores themselves | 10 s | 2 MB | no

verify: $(VERDICTS) ## verdicts only: every published cell, claim and file | 20 s | 2 MB | no
	@$(RUN) verdict

report: $(REPORT) ## the offline HTML report | 40 s | 17 MB | no
	@echo "$(PAGE)"

# Whatever table or figure is asked for: which there are, the catalog says (mtpeft list tables).
TABLE_TARGETS := $(filter table-%,$(MAKECMDGOALS))
FIGURE_TARGETS := $(filter figure-%,$(MAKECMDGOALS))
.PHONY: $(TABLE_TARGETS) $(FIGURE_TARGETS)

$(TABLE_TARGETS): $(VERDICTS) ## one table (table-1 to table-18, table-b1 to table-b6), printed too | 20 s | | no
	@$(RUN) tables $@ --show

$(FIGURE_TARGETS): $(VERDICTS) ## one figure (figure-1 to figure-5); prints its files | 20 s | | no
	@$(RUN) figures $@

documents: $(VERDICTS) ## write the generated blocks of README.md and REPRODUCE.md, repro.yaml, metadata | 20 s | | no
	@PYTHONPATH=code $(BIN)/python docs/documents.py
	@PYTHONPATH=code $(BIN)/python docs/metadata.py

claim-%: $(VERDICTS) ## one claim: rule, said, found, verdict, and the cells that were counted (claim-C8) | 20 s | | no
	@$(RUN) verify claim $*

known-issues: $(AUDIT) ## write KNOWN_ISSUES.md (after make rescore audit-outputs) | 20 s | | no
	@$(RUN) report known-issues >/dev/null
	@test -f $(OUT)/audit/KNOWN_ISSUES-T2.md || { echo "mtpeft: its second part needs make rescore audit-outputs first" >&2; exit 2; }
	@cat $(OUT)/audit/KNOWN_ISSUES.md $(OUT)/audit/KNOWN_ISSUES-T2.md >KNOWN_ISSUES.md

archive: | $(VENV)/.core ## import the upstream files of all studies again (MTPEFT_MIRROR or network) | 15 s | 15 MB | no
	@$(RUN) archive import

# ---------------------------------------------------------------- scoring (T2)

.PHONY: setup-analysers predictions rescore audit-outputs explain-codebleu selftest-sandbox
setup-analysers: | $(VENV)/.score ## fetch PMD, Checkstyle, WordNet, other versions of tools | 1 min | 250 MB | no
	@$(RUN) setup-analysers

rescore: | $(VENV)/.score ## T2: archived outputs scored again (needs MTPEFT_MIRROR or git) | 6 min | 100 MB | no
	@$(RUN) rescore
	@$(RUN) other-versions
	@$(MAKE) --silent $(AUDIT_T2)
	@$(MAKE) --no-print-directory $(REPORT)
	@$(RUN) verdict

$(TESTS_T2): $(wildcard $(OUT)/rescore/summary.csv)
	@$(RUN) statistics --rescored

$(AUDIT_T2): $(TESTS_T2) $(AUDIT) $(wildcard $(OUT)/other-versions/*/stamp.json $(OUT)/statistics/repaired.csv code/mtpeft/audit/*.py)
	@$(RUN) audit --rescored

predictions: | $(VENV)/.core ## archived outputs from the study's git repositories, pinned | 5 min | 200 MB | no
	@$(RUN) predictions

audit-outputs: | $(VENV)/.score ## damaged outputs, repaired and scored again (after make rescore) | 2 min | 100 MB | no
	@$(RUN) audit-outputs
	@$(RUN) statistics --repaired
	@$(MAKE) --silent $(AUDIT_T2)
	@$(MAKE) --no-print-directory $(REPORT)

explain-codebleu: | $(VENV)/.score ## why archived CodeBLEU values differ, row by row | 5 min | 1 MB | no
	@$(RUN) explain-codebleu

selftest-sandbox: | $(VENV)/.core ## the adversarial test programs against the sandbox | 1 min | | no
	@$(RUN) selftest-sandbox

# ---------------------------------------------------------------- tuning and inference (T3, T4)

# Whatever run is asked for: which runs there are, the catalog says (mtpeft list runs), and it names the nearest to an unknown one.
TRAIN_TARGETS := $(filter train-%,$(MAKECMDGOALS))
INFER_TARGETS := $(filter infer-%,$(MAKECMDGOALS))
SCORE_TARGETS := $(filter score-%,$(MAKECMDGOALS))
# How: make train-qwen2.5-coder-1.5b/mt-qlora PROFILE=faithful SEEDS="42 43 44" SET="epochs=1"
PROFILE ?= fast
SEEDS ?= 42
SET ?=
# multitask-peft-cloze, a folder, …; a folder with the base model (default: the run's own, from the hub); examples of each task
CORPUS ?=
BACKBONE ?=
LIMIT ?=
WHERE = $(if $(CORPUS),--corpus "$(CORPUS)") $(if $(BACKBONE),--backbone "$(BACKBONE)") $(if $(LIMIT),--limit "$(LIMIT)")
# One bad file or seed must not cost the others: all are done, then the worst exit code is returned (an interrupt ends at once).
GO_ON = || { code=$$?; [ $$code -lt 128 ] || exit $$code; [ $$code -le $$worst ] || worst=$$code; }
GPUS ?= 1
ANSWERS := $(if $(filter faithful,$(PROFILE)),faithful,clean)
TRAIN := $(if $(filter 1,$(GPUS)),$(BIN)/python -m,$(BIN)/python -m torch.distributed.run --standalone --nproc-per-node=$(GPUS) -m) mtpeft

.PHONY: data smoke plan-training $(TRAIN_TARGETS) $(INFER_TARGETS) $(SCORE_TARGETS) verify-seeds
data: | $(VENV)/.train ## fetch and verify the corpora (OFFLINE=1: only what is here) | 1–20 min | 2 GB | no
	@$(RUN) data

smoke: | $(VENV)/.train $(VENV)/.score ## every stage from scratch on a tiny model, expected vs. actual | 8 min | 50 MB | no
	@OMP_NUM_THREADS=1 $(RUN) smoke

plan-training: | $(VENV)/.train ## time, memory, disk and cost of every training run on four GPU classes | 1 min | | no
	@$(RUN) train plan --profile faithful
	@$(RUN) train plan --profile fast

$(TRAIN_TARGETS): | $(VENV)/.train ## one training run (mtpeft list runs); resumes | hours | 1–150 GB | yes
	@$(TRAIN) train "$(@:train-%=%)" --profile $(PROFILE) $(addprefix --seed ,$(SEEDS)) $(addprefix --set ,$(SET)) $(WHERE)

$(INFER_TARGETS): | $(VENV)/.train ## predictions of one run, every seed; resumes | minutes | 10 MB | yes
	@worst=0; for seed in $(SEEDS); do $(RUN) infer "$(@:infer-%=%)" --training $(PROFILE) --profile $(ANSWERS) --seed $$seed $(WHERE) $(GO_ON); done; exit $$worst

$(SCORE_TARGETS): | $(VENV)/.score ## scores of one run's predictions, every seed | minutes | 10 MB | no
	@worst=0; for seed in $(SEEDS); do at="$(OUT)/training/$(PROFILE)/$(@:score-%=%)/seed-$$seed"; \
	  if [ -d "$$at/$(ANSWERS)" ]; then at="$$at/$(ANSWERS)"; fi; \
	  for file in "$$at"/predictions/*.jsonl; do $(RUN) score "$$file" --out "$$at" $(if $(CORPUS),--corpus "$(CORPUS)") $(GO_ON); done; done; exit $$worst

verify-seeds: | $(VENV)/.core ## T4: trained and scored runs by the interval over their seeds | 2 s | | no
	@rc=0; $(RUN) verify-seeds --training $(PROFILE) --inference $(ANSWERS) || rc=$$?; \
	  [ -f "$(OUT)/verification/seeds.csv" ] || exit $$rc; \
	  $(MAKE) --no-print-directory $(REPORT); $(RUN) verdict || [ $$? -eq 1 ]; exit $$rc

.PHONY: smoke-heads flaky-cpu proof-server proof-weights proof-a proof-a-quick proof-b proof-b-quick
smoke-heads: | $(VENV)/.train ## the part of smoke with shared modules: five tiny backbones by five methods | 1 min | 10 MB | no
	@OMP_NUM_THREADS=1 $(RUN) smoke-heads

proof-b: | $(VENV)/.train $(VENV)/.score ## the study of shared modules in miniature, on real weights (MTPEFT_MIRROR or git); resumes | 2 h | 2 GB | no
	@OMP_NUM_THREADS=1 $(RUN) proof miniature-peft

proof-b-quick: | $(VENV)/.train $(VENV)/.score ## the same stages on a few dozen examples; its figures mean nothing | 5 min | 1 GB | no
	@OMP_NUM_THREADS=1 $(RUN) proof miniature-peft --quick

proof-server: | $(VENV)/.train ## SmolLM2 prompted and as a judge through `mtpeft serve`; resumes; QUICK=1: a few requests, 1 min | 5 h | 1 GB | no
	@$(RUN) infer proof-server $(if $(QUICK),--quick)

proof-weights: | $(VENV)/.train ## T3: published classifiers on their test sets, on other threads and batches too; QUICK=1: 1 min | 25 min | 1 GB | no
	@OMP_NUM_THREADS=1 $(RUN) infer proof-weights $(if $(QUICK),--quick)

proof-a: | $(VENV)/.train $(VENV)/.score ## multi-task QLoRA in miniature: SmolLM2 tuned, asked, scored, compared; resumes | 1–2 h | 3 GB | no
	@$(RUN) proof miniature-qlora $(if $(QUICK),--quick)

proof-a-quick: ## the same steps on a handful of examples; its figures mean nothing | 6 min | 1 GB | no
	@$(MAKE) --no-print-directory proof-a QUICK=1

flaky-cpu: | $(VENV)/.train ## a small model on the real flaky tests (MTPEFT_MIRROR or git) against baselines | 10 min | 20 MB | no
	@$(RUN) flaky-cpu

# ---------------------------------------------------------------- tests, images, housekeeping

.PHONY: test test-unit test-train test-cluster gpu-check bench-miniature mutation record-tables lint docs doctor plan clean
record-tables: ## accept the tables of the last run as the reference of the tests | 1 s | | no
	@cd $(OUT) && find statistics audit verification tables -name '*.csv' ! -name '.*' | LC_ALL=C sort | xargs sha256sum \
	  >"$(CURDIR)/tests/recipe/tables.sha256"
	@echo "tests/recipe/tables.sha256"

lint: $(VENV)/.dev ## formatting, lint, types, spelling | 40 s | | no
	@$(BIN)/ruff format --check code tests docker docs
	@$(BIN)/ruff check code tests docker docs
	@$(BIN)/mypy
	@$(BIN)/codespell

docs: $(VENV)/.docs ## the documentation as a site in site/, offline | 20 s | 20 MB | no
	@$(BIN)/python docs/generate.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

MUTANTS ?= 40
SEED ?= 1
mutation: $(VENV)/.dev ## a sample of faults in statistics, verification and records: do the tests notice (MUTANTS, SEED) | 30 min | | no
	@nice -n 10 $(BIN)/python tests/bench/mutation.py --mutants $(MUTANTS) --seed $(SEED)

test-unit: $(VENV)/.dev $(VENV)/.score ## the fast tests alone | 90 s | | no
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not train" tests/unit

test: $(VENV)/.dev $(VENV)/.score ## the tests (those of group train: make test-train) | 10 min | 1.5 GB | no
	@command -v chromium chromium-browser google-chrome >/dev/null || echo "mtpeft: no Chromium here: the tests that look at the report in a browser will be skipped (apt-get install chromium)"
	@$(RUN) setup-analysers || echo "mtpeft: the tests of the missing analysers will be skipped"
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not train and not cluster" tests/unit tests/recipe

test-train: $(VENV)/.dev $(VENV)/.score $(VENV)/.train $(VENV)/.gradients ## the tests that train and generate, on the CPU | 5 min | 3 GB | no
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile -m "train and not cluster" tests/unit tests/recipe

gpu-check: $(VENV)/.dev $(VENV)/.train ## what only a GPU can show: tests, then speed and memory as a table; no network | 10 min | 10 GB | yes
	@$(BIN)/python -c 'import torch, sys; torch.cuda.is_available() or sys.exit("mtpeft: gpu-check: torch finds no GPU here; on one with a driver: make gpu-check")'
	@$(BIN)/python -m pytest -q -m gpu tests/gpu
	@PYTHONPATH=code $(BIN)/python tests/bench/bench_training.py --out $(OUT)/gpu-check.md
	@echo "$(OUT)/gpu-check.md"

bench-miniature: $(VENV)/.train ## training and generation of the miniature beside TRL and transformers, CPU seconds | 15 min | 3 GB | no
	@OMP_NUM_THREADS=1 PYTHONPATH=code $(BIN)/python tests/bench/bench_miniature.py --out $(OUT)/bench-miniature.md
	@echo "$(OUT)/bench-miniature.md"

RUNS ?=
test-cluster: $(VENV)/.dev $(VENV)/.train ## a matrix on a real Slurm of this machine (as root; skips without one); RUNS=30: more runs | 5 min | 50 MB | no
	@RUNS=$(RUNS) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m cluster tests/recipe/test_cluster.py

doctor: ## check this machine first: what is there, what is missing, how to get it | 1 s | | no
	@$(PYTHON) docker/setup/doctor.py

plan: ## what reproduce-all would do now | 1 s | | no
	@$(MAKE) --no-print-directory -n $(REPORT) | sed -n 's/^$(subst /,\/,$(RUN)) /  mtpeft /p' | sed '1i would run:' || true
	@echo "training from base models, with time, memory and cost: make plan-training"

clean: ## remove what runs wrote (results/regenerated, or MTPEFT_OUT), nothing else | 1 s | | no
	@PYTHONPATH=code "$(PYTHON)" -m mtpeft.core.output

IMAGE ?= mtpeft
.PHONY: image image-cpu image-rootless sbom
image: ## the GPU image, with docker, podman or buildah | 15 min | 12 GB | no
	@bash docker/build.sh cuda $(IMAGE):cuda

image-cpu: ## the CPU image, with docker, podman or buildah | 5 min | 2 GB | no
	@bash docker/build.sh cpu $(IMAGE):cpu

image-rootless: ## the CPU image without a container engine or registry (needs root) | 10 min | 4 GB | no
	@bash docker/build-rootless.sh $(IMAGE):cpu

sbom: $(VENV)/.dev ## CycloneDX list of packages and analysers here, with licences | 30 s | 1 MB | no
	@$(BIN)/python docker/sbom.py $(OUT)/sbom.cdx.json

.PHONY: help
help: ## this list | | | no
	@awk 'function trim(x) {gsub(/^ +| +$$/, "", x); return x} \
	  BEGIN {printf "%-16s %-70s %-8s %-7s %s\n", "target", "what it does", "time", "disk", "GPU"} \
	  /^[$$(a-zA-Z][a-zA-Z0-9_$$()%-]*:.* ## / {target = $$0; sub(/:.*/, "", target); text = $$0; sub(/.* ## /, "", text); \
	  split(text, c, "|"); sub(/\$$\(TABLE_TARGETS\)/, "table-N", target); sub(/\$$\(FIGURE_TARGETS\)/, "figure-N", target); sub(/\$$\(TRAIN_TARGETS\)/, "train-RUN", target); sub(/\$$\(INFER_TARGETS\)/, "infer-RUN", target); sub(/\$$\(SCORE_TARGETS\)/, "score-RUN", target); \
	  printf "%-16s %-70s %-8s %-7s %s\n", target, trim(c[1]), trim(c[2]), trim(c[3]), trim(c[4])}' Makefile
