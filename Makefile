# Everything that is done with this repository. `make help` lists it.

SHELL         := /bin/sh
MAKEFLAGS     += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DEFAULT_GOAL := help

GO            ?= go
GOLANGCI_LINT := v2.15.0
CACHE         := .cache
LINT          := $(CACHE)/bin/golangci-lint-$(GOLANGCI_LINT)

# A checkout that belongs to somebody else makes git refuse, and go with it; the binary then names no revision.
BUILDVCS := $(shell git status >/dev/null 2>&1 && echo auto || echo false)

# The same flags everywhere, so that builds, vet, linter and tests share what was compiled. Only the race detector needs
# cgo, and compiles for itself.
export GOFLAGS     := $(GOFLAGS) -trimpath -buildvcs=$(BUILDVCS)
export CGO_ENABLED := 0

# Package tests of the API server find it here.
export KUBEBUILDER_ASSETS := $(CURDIR)/e2e/bin

# What the programs are made of. Folders are among it, so that a file that went away counts too.
sources        = $(shell find $(1) \( -name testdata -o -name '*_test.go' -o -name '.*' \) -prune -o -print 2>/dev/null)
SLUICE_SOURCES := go.mod go.sum $(call sources,cmd gitsource policies reconciler render)
CLUSTER_SOURCES := $(call sources,e2e/cluster)
DEMO_SOURCES   := e2e/go.mod e2e/go.sum $(call sources,e2e/demo)
LINKS          := etcd kube-apiserver kube-controller-manager kube-scheduler kwok

# $(call timed,name,command): say what is done, and how long it took.
define timed
@echo "==> $(1)"; began=$$(date +%s); $(2) || exit 1; echo "    $$(( $$(date +%s) - began )) s"
endef

.PHONY: help
help: ## This list
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'
	@echo "On a fresh machine with Go, git and make, 'make demo' and 'make test' need no other step."

## Programs

.PHONY: build
build: bin/sluice ## bin/sluice, one static program

bin/sluice: $(SLUICE_SOURCES) | $(CACHE)/programs
	$(call timed,Building bin/sluice,$(GO) build -ldflags='-s -w' -o $@ ./cmd/sluice)
	@touch $@

e2e/bin/devcluster: $(CLUSTER_SOURCES) | $(CACHE)/programs
	$(call timed,Building e2e/bin/devcluster: a Kubernetes control plane (the first time minutes),\
		cd e2e/cluster && $(GO) build -ldflags='-s -w' -o ../bin/devcluster .)
	@touch $@

e2e/bin/%: e2e/bin/devcluster
	@cd e2e/bin && ln -sf devcluster $*

# A forge compiles SQLite, so this one needs cgo. Its templates and texts stay in the module cache, where it is told to look.
# Without a version of its own no client library would speak to it.
GITEA      := code.gitea.io/gitea
GITEA_TAGS := sqlite,sqlite_unlock_notify
e2e/bin/gitea: e2e/forge/go.mod e2e/forge/go.sum | $(CACHE)/compiler
	$(call timed,Building e2e/bin/gitea: a forge (the first time minutes),\
		cd e2e/forge && $(GO) mod download $(GITEA) && dir=$$($(GO) list -m -f '{{.Dir}}' $(GITEA)) && \
		CGO_ENABLED=1 $(GO) build -tags '$(GITEA_TAGS)' -o ../bin/gitea -ldflags="-s -w \
		-X main.Version=$${dir##*@v} -X $(GITEA)/modules/setting.StaticRootPath=$$dir" $(GITEA))
	@touch $@

# The programs that renders are compared with, unchanged, of their own dependencies.
HELM      := helm.sh/helm/v3/cmd/helm@v3.22.0
KUSTOMIZE := sigs.k8s.io/kustomize/kustomize/v5@v5.8.2
e2e/bin/helm e2e/bin/kustomize: Makefile | $(CACHE)/programs
	$(call timed,Building $@,GOBIN=$(CURDIR)/e2e/bin $(GO) install -ldflags='-s -w' $(if $(filter %/helm,$@),$(HELM),$(KUSTOMIZE)))
	@touch $@

# A registry, for charts.
REGISTRY := github.com/distribution/distribution/v3/cmd/registry
e2e/bin/registry: e2e/registry/go.mod e2e/registry/go.sum | $(CACHE)/programs
	$(call timed,Building e2e/bin/registry: a registry (the first time minutes),\
		cd e2e/registry && $(GO) build -ldflags='-s -w' -o ../bin/registry $(REGISTRY))
	@touch $@

e2e/bin/devgit: go.mod go.sum $(call sources,gitsource) | $(CACHE)/programs
	$(call timed,Building e2e/bin/devgit,$(GO) build -o $@ ./gitsource/gittest/devgit)
	@touch $@

e2e/bin/devdashboard: go.mod go.sum $(call sources,cmd/sluice/dashboard reconciler/view) | $(CACHE)/programs
	$(call timed,Building e2e/bin/devdashboard,$(GO) build -o $@ ./cmd/sluice/dashboard/dashboardtest/devdashboard)
	@touch $@

e2e/bin/demo: $(DEMO_SOURCES) | $(CACHE)/programs
	$(call timed,Building e2e/bin/demo,cd e2e && $(GO) build -o bin/demo ./demo)
	@touch $@

$(LINT): | $(CACHE)/programs
	$(call timed,Building golangci-lint $(GOLANGCI_LINT) (the first time minutes),\
		GOBIN=$(CURDIR)/$(CACHE)/build $(GO) install -ldflags='-s -w' \
		github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT))
	@mkdir -p $(CACHE)/bin && mv $(CACHE)/build/golangci-lint $@ && touch $@

# What the demo drives. Forge, registry and the programs that are compared with are for tests alone.
DEMO_NEEDS := bin/sluice e2e/bin/devgit e2e/bin/devcluster $(LINKS:%=e2e/bin/%)

.PHONY: prerequisites
prerequisites: $(DEMO_NEEDS) e2e/bin/helm e2e/bin/kustomize e2e/bin/devdashboard e2e/bin/gitea e2e/bin/registry ## All programs that tests and the demo drive

# Programs of the system. As root on Debian a missing one is installed, otherwise its package is named.
# $(call install,packages): what the shell variable missing has.
define install
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "==> Installing$$missing"; \
			{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; } >&2 || exit 1; \
		else \
			echo "Error: missing:$$missing (so are Debian's packages called)" >&2; \
			echo "Try: sudo apt-get install$$missing" >&2; exit 1; \
		fi; \
	fi
endef

$(CACHE)/programs: Makefile
	@mkdir -p $(CACHE); missing=; \
	command -v $(GO) >/dev/null || { echo "Error: there is no go program" >&2; echo "Try: https://go.dev/dl, Go 1.26" >&2; exit 1; }; \
	{ command -v git && test -x "$$(git --exec-path)/git-http-backend"; } >/dev/null || missing="$$missing git"; \
	test -e /etc/ssl/certs/ca-certificates.crt || ! test -e /etc/debian_version || missing="$$missing ca-certificates"; \
	$(install)
	@touch $@

# The race detector needs a C compiler; what is built here does not.
$(CACHE)/compiler: $(CACHE)/programs
	@missing=; printf '#include <stdlib.h>\nint main(void) { return 0; }\n' >$(CACHE)/try.c; \
	$$($(GO) env CC) -o $(CACHE)/try $(CACHE)/try.c >/dev/null 2>&1 || missing=" gcc libc6-dev"; \
	rm -f $(CACHE)/try $(CACHE)/try.c; \
	$(install)
	@touch $@

# Tests ask a real Prometheus, each one of its own on a port of its own: the package's service is not needed.
$(CACHE)/prometheus: $(CACHE)/programs
	@missing=; command -v prometheus >/dev/null || missing=" prometheus"; \
	$(install)
	@touch $@

# Stories look at the dashboard with a real browser. axe-core, which says what keeps people from using a page, is npm's; its
# licence (MPL 2.0) is beside it. It is kept in the cache, and what is not the very same file is refused.
AXE_VERSION := 4.14.1
AXE_SHA256  := e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745
$(CACHE)/browser: $(CACHE)/programs
	@missing=; command -v chromium >/dev/null || missing=" chromium"; \
	command -v npm >/dev/null || missing="$$missing npm"; \
	$(install)
	@rm -rf $(CACHE)/axe-core && mkdir -p $(CACHE)/axe-core && cd $(CACHE)/axe-core && \
		npm pack --silent axe-core@$(AXE_VERSION) >/dev/null && \
		echo "$(AXE_SHA256)  axe-core-$(AXE_VERSION).tgz" | sha256sum --quiet -c && \
		tar xzf axe-core-$(AXE_VERSION).tgz --strip-components=1 package/axe.min.js package/LICENSE
	@touch $@

## The demo

# KUBECONFIG counts only on make's own command line: one in the environment may be a cluster that is in use.
ifeq ($(origin KUBECONFIG),command line)
DEMO_CLUSTER := --kubeconfig '$(abspath $(KUBECONFIG))'
endif
unexport KUBECONFIG

.PHONY: demo
demo: $(DEMO_NEEDS) e2e/bin/demo ## The whole loop on this machine, until Ctrl-C (EXIT=1: try what it suggests and end; KUBECONFIG=FILE: in that cluster)
	@exec e2e/bin/demo --root '$(CURDIR)' $(DEMO_CLUSTER) $(if $(filter-out 0,$(EXIT)),--exit)

## Tests

PARTS := vet unit cluster stories
KILLS ?= 20

# Stories mostly wait for controllers and holds: more of them at once than there are cores.
AT_ONCE ?= 5

.PHONY: test
test: ## All tests, from nothing: vet, unit and API server tests with the race detector, the test bed's, the stories
	@began=$$(date +%s); $(MAKE) prerequisites || exit 1; \
	report="    $$(( $$(date +%s) - began )) s  prerequisites"; failed=; \
	for part in $(PARTS); do \
		began=$$(date +%s); word=passed; \
		$(MAKE) test-$$part || { word=FAILED; failed="$$failed $$part"; }; \
		report="$$report\n    $$(( $$(date +%s) - began )) s  $$part $$word"; \
	done; \
	printf "==> What make test did\n$$report\n"; \
	[ -z "$$failed" ] || { echo "Error: failed:$$failed" >&2; exit 1; }; \
	echo "All tests passed"

# Vet looks into everything that a package needs, and that of e2e/cluster's command is all of Kubernetes. Where it was
# done once, go test need not do it again.
.PHONY: test-vet
test-vet: | $(CACHE)/programs
	@echo "==> go vet, all modules"
	@$(GO) vet ./...
	@cd e2e && $(GO) vet ./...
	@cd e2e/cluster && $(GO) vet ./internal/... ./acceptance/...

.PHONY: test-unit
test-unit: prerequisites $(CACHE)/compiler $(CACHE)/prometheus
	@echo "==> Unit and API server tests, with the race detector"
	@CGO_ENABLED=1 $(GO) test -race -vet=off -timeout 20m ./...

.PHONY: test-cluster
test-cluster: prerequisites
	@echo "==> Tests of the control plane that the stories run on"
	@cd e2e/cluster && $(GO) test -vet=off -count=1 -timeout 15m ./...

.PHONY: test-stories
test-stories: prerequisites $(CACHE)/prometheus $(CACHE)/browser
	@echo "==> Stories, against a real control plane and Git server ($(KILLS) kills)"
	@cd e2e && SLUICE_KILLS=$(KILLS) $(GO) test -vet=off -count=1 -parallel $(AT_ONCE) -timeout 30m ./...

.PHONY: e2e
e2e: prerequisites $(CACHE)/prometheus $(CACHE)/browser ## The stories whose names match RUN, told in full
	@cd e2e && $(GO) test -v -count=1 -parallel $(AT_ONCE) -timeout 60m -run '$(or $(RUN),.)' . ./browser

.PHONY: parity
parity: bin/sluice e2e/bin/helm e2e/bin/kustomize ## What sluice renders against helm and kustomize: of the charts and overlays in CORPUS, or of our own
	@cd e2e && SLUICE_CORPUS='$(if $(CORPUS),$(abspath $(CORPUS)))' $(GO) test -vet=off -count=1 -timeout 60m -v -run '^TestParity$$' ./parity

SEEDS  ?= 10
ROUNDS ?= 20

# The stories drive bin/sluice; here it is one that ends at the first data race. Each round has a control plane of its own. It
# goes on after a failure, so that hours are not lost to the first one, and tells of all at its end.
.PHONY: soak
soak: ## The long proofs: everything ROUNDS times, 200 kills for each of SEEDS seeds, an agent with the race detector (hours)
	@failed=; for part in unit stories kills; do $(MAKE) soak-$$part || failed="$$failed $$part"; done; \
	[ -z "$$failed" ] || { echo "Error: failed:$$failed" >&2; exit 1; }

.PHONY: soak-unit
soak-unit: prerequisites $(CACHE)/compiler $(CACHE)/prometheus ## Of these: unit and API server tests
	@echo "==> Unit and API server tests, $(ROUNDS) times"
	@CGO_ENABLED=1 $(GO) test -race -count=$(ROUNDS) -timeout 4h ./...

.PHONY: soak-stories
soak-stories: prerequisites $(CACHE)/compiler $(CACHE)/prometheus $(CACHE)/browser ## Of these: the stories, or those that match RUN
	@$(racing); failed=; \
	for round in $$(seq 1 $(ROUNDS)); do \
		echo "==> The stories, round $$round of $(ROUNDS)"; \
		$(GO) test -vet=off -count=1 -parallel $(AT_ONCE) -timeout 1h -run '$(or $(RUN),.)' . ./browser || failed="$$failed $$round"; \
	done; \
	[ -z "$$failed" ] || { echo "Error: stories failed in rounds:$$failed" >&2; exit 1; }

# Two at a time: an agent that has a second or two until it is killed again gets nowhere on a processor that five share.
.PHONY: soak-kills
soak-kills: prerequisites $(CACHE)/compiler $(CACHE)/prometheus ## Of these: the kills
	@$(racing); failed=; \
	for seed in $$(seq 1 $(SEEDS)); do \
		echo "==> 200 kills, SLUICE_SEED=$$seed"; \
		SLUICE_KILLS=200 SLUICE_SEED=$$seed $(GO) test -v -count=1 -parallel 2 -timeout 2h -run 'KilledAtAnyInstant$$' . || failed="$$failed $$seed"; \
	done; \
	[ -z "$$failed" ] || { echo "Error: kills failed with seeds:$$failed" >&2; exit 1; }

# racing has e2e drive an agent with the race detector, until the shell ends.
define racing
trap 'rm -f $(CURDIR)/bin/sluice' EXIT; export GORACE=halt_on_error=1; \
	echo "==> Building an agent with the race detector"; \
	CGO_ENABLED=1 $(GO) build -race -o bin/sluice ./cmd/sluice && cd e2e || exit 1
endef

.PHONY: screenshots
screenshots: e2e/bin/devdashboard $(CACHE)/browser ## Pictures of each page of the dashboard, in bin/screenshots, and the README's
	@cd e2e && $(GO) test -count=1 -timeout 30m -run TestDashboardP ./browser
	@cp bin/screenshots/readme.png cmd/sluice/dashboard/home.png

.PHONY: bench
bench: prerequisites ## The figures, printed and in bench.json (RUN=<regexp>: only those)
	@cd e2e && $(GO) run ./bench $(if $(RUN),-run '$(RUN)') -out ../bench.json

## What must hold of the files

.PHONY: verify
verify: $(LINT) ## Formatting, vet, linter, tidy modules, generated files; a clean tree where CI is set
	@echo "==> gofmt"; unformatted=$$(gofmt -l cmd e2e gitsource policies reconciler render) || exit 1; \
	[ -z "$$unformatted" ] || { echo "Error: not formatted:" $$unformatted >&2; echo "Try: gofmt -w" $$unformatted >&2; exit 1; }
	$(call timed,Modules are tidy,$(GO) mod tidy -diff && (cd e2e && $(GO) mod tidy -diff) && (cd e2e/cluster && $(GO) mod tidy -diff) && \
		(cd e2e/forge && $(GO) mod tidy -diff) && (cd e2e/registry && $(GO) mod tidy -diff))
	@$(MAKE) test-vet
	$(call timed,Linter,bad=; $(LINT) run ./... || bad=1; (cd e2e && ../$(LINT) run --config ../.golangci.yml ./...) || bad=1; test -z "$$bad")
	$(call timed,Reference page and schemas are what the types say,$(GO) test -count=1 ./reconciler/config)
	@if [ -n "$$CI" ] && [ -n "$$(git status --porcelain)" ]; then \
		echo "Error: the tree is not clean:" >&2; git status --short >&2; git --no-pager diff --stat >&2; exit 1; fi

.PHONY: clean
clean: ## Removes what was built
	@rm -rf bin e2e/bin $(CACHE) bench.json
