# Changevouch. `make` alone prints the targets; those with a slash are the stages of `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# The product never needs C; only the race detector does, in test/go.
export CGO_ENABLED := 0

# An archive, or a checkout that git refuses to read, builds too: without a version.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
BUILDVCS := $(if $(filter devel,$(VERSION)),false,true)

# The pages of the built-in policies, with messages of these dossiers.
HANDBOOK := --bundle rego --out rego --examples testdata/cases,cmd/vouch/testdata/acme/dossiers

STAGES := build test/rego lint/rego lint/go lint/sql test/go

.PHONY: help build test bench live fmt lint docs generate demo test/rego test/go lint/rego lint/go lint/sql

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/vouch
	@[ -x bin/vouch ] || echo 'Building bin/vouch; the first time this takes minutes.' >&2
	go build -trimpath -buildvcs=$(BUILDVCS) -ldflags '-X main.version=$(VERSION)' -o bin/vouch ./cmd/vouch

test: ## run all tests and linters, as CI does
	@tools/stage $(STAGES)

bench: build .cache/bin/benchstat .cache/bin/opa .cache/bin/conftest ## compare benchmarks with the run before, and vouch with opa and conftest
	@mkdir -p .cache/bench
	[ ! -s .cache/bench/new.txt ] || mv .cache/bench/new.txt .cache/bench/old.txt
	go test -run '^$$' -bench . -benchtime 2s -count $${COUNT:-4} \
		$$(grep -rl --include='*_test.go' '^func Benchmark' ./*/ | xargs -n 1 dirname | grep -vx ./cmd/vouch | sort -u) | tee .cache/bench/new.txt
	[ ! -s .cache/bench/old.txt ] || .cache/bin/benchstat .cache/bench/old.txt .cache/bench/new.txt
	echo 'The same files, judged by three programs:'
	go run tools/bench/*.go -files $${FILES:-2000}
	echo 'The running server under load, each attack LOAD_SECONDS long (5):'
	go test -run '^$$' -bench BenchmarkServe -benchtime 1x -timeout 2h ./cmd/vouch

live: ## test the collectors against real accounts, with the credentials that CONTRIBUTING.md names
	@go test -tags live -count 1 -timeout 60m -run '^TestReal' -v ./cmd/vouch/internal/app $(if $(VOUCH_LIVE_GITHUB),./collectors/git)

fmt: build ## format Go and Rego
	@git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 -r gofmt -s -w
	bin/vouch policy fmt rego

lint: ## lint Go and Rego
	@tools/stage build lint/rego lint/go lint/sql

generate: .cache/bin/sqlc ## write the Go code of the journal's queries again
	@.cache/bin/sqlc generate -f engine/store/sqlc.yaml

docs: build ## write the pages of the policy in rego/ again
	@bin/vouch policy docs $(HANDBOOK)

demo: build ## build, then walk through a made-up organisation's changes
	@bin/vouch demo

# Tests and coverage of the built-in policies.
test/rego: build
	@bin/vouch policy test rego --coverage --threshold 95

# Tests of the Go packages, the command line scripts and the commands of the README.
test/go: .cache/bin/gotestsum
	@tools/postgres
	tools/curl
	# SQLite is C in the words of Go: to check its pointers costs more than all our tests.
	race='-race -gcflags=modernc.org/...=-d=checkptr=0'; cgo=1
	if ! tools/compiler; then
		[ -z "$${CI:-}" ] || exit 1
		echo 'Going on without the race detector.'; race=; cgo=0
	fi
	# What does one thing after another, or has another process do it, has nothing to race;
	# what a thousand deliveries do at once, a few do with the detector.
	plain='^(TestCases|TestAcme|TestAcmeOrder|TestFormsArrive|TestTemplateIsNoContent|TestSettingsStarter|TestServerThousandDeliveries)$$'
	plain="$$plain"'|^(TestContract|TestReadIsAFunctionOfTheSet|TestLocalSurvivesKills|TestLiveSurvivesKills|TestLiveMemoryIsFlat|TestDerivedIsWhatIsGiven)$$'
	plain="$$plain"'|^(TestSQLite|TestPostgres)$$/^(Kill|Tampering|Backup)$$'
	# One package more than processors: servers mostly wait.
	CGO_ENABLED=$$cgo .cache/bin/gotestsum --format pkgname --hide-summary skipped -- $$race -p $$(($$(nproc) + 1)) -timeout 25m -skip "$$plain" ./...
	.cache/bin/gotestsum --format pkgname --hide-summary skipped -- -run "$$plain" ./cmd/vouch ./cmd/vouch/internal/app ./collectors/... ./engine/policy ./engine/store

# Format, strict check and style of the built-in policies, and whether their
# pages say what they do.
lint/rego: build .cache/bin/regal
	@bin/vouch policy fmt --fail rego
	bin/vouch policy check rego
	.cache/bin/regal lint --no-color rego
	bin/vouch policy docs $(HANDBOOK) --check || { echo 'To write the pages again: make docs' >&2; exit 1; }

# gofmt, go vet and the linters of .golangci.yml.
lint/go: .cache/bin/golangci-lint
	@.cache/bin/golangci-lint run ./...
	go vet tools/bench/*.go
	go vet tools/forge/*.go

# Whether the Go code of the journal's queries says what they do.
lint/sql: .cache/bin/sqlc
	@.cache/bin/sqlc diff -f engine/store/sqlc.yaml || { echo 'To write it again: make generate' >&2; exit 1; }

# The build tools, at the versions of tools/go.mod. Built once and kept.
TOOL_PACKAGES := \
	github.com/golangci/golangci-lint/v2/cmd/golangci-lint \
	github.com/open-policy-agent/regal \
	github.com/sqlc-dev/sqlc/cmd/sqlc \
	golang.org/x/perf/cmd/benchstat \
	gotest.tools/gotestsum

.cache/bin/%: tools/go.mod tools/go.sum
	@echo 'Building $*, once.'
	go -C tools build -trimpath -buildvcs=false -o ../$@ $(filter %/$*,$(TOOL_PACKAGES))
	touch $@

# What `make bench` compares with: the OPA that we embed, and conftest with the
# OPA of its own module, since it does not build with ours.
CONFTEST := v0.69.0

.cache/bin/opa: go.mod
	@go build -trimpath -buildvcs=false -o $@ github.com/open-policy-agent/opa

.cache/bin/conftest: Makefile
	@echo 'Building conftest, once.'
	GOBIN=$(CURDIR)/.cache/bin go install -trimpath github.com/open-policy-agent/conftest@$(CONFTEST)
	touch $@
