# GNU make and BSD make both run this file. "make help" lists the targets.

GO = go
PREFIX = /usr/local
DESTDIR =

VERSION != git describe --always --dirty 2>/dev/null || echo devel
OS != $(GO) env GOOS
ARCH != $(GO) env GOARCH

# The race detector needs cgo and does not exist everywhere.
RACE != [ $(OS)-$(ARCH) = freebsd-arm64 ] || echo -race

# The tag leaves out generators of man pages, which take time at each start of a command.
BUILD = -trimpath -buildvcs=false -tags urfave_cli_no_docs -ldflags "-s -w -X jailshim/internal/version.Version=$(VERSION)"
SHIM = containerd-shim-jail-v2
COMMANDS = jailctl containerd-openzfs-grpc
CNI = cni-jail-bridge

# Programs of others, built from their modules by tools/build.sh.
BUILD_TOOLS = GO='$(GO)' tools/build.sh -o $(OS) -a $(ARCH)
TOOLS = bin/tools/$(OS)-$(ARCH)
RUNTIME_linux = runc containerd-shim-runc-v2
RUNTIME = $(RUNTIME_$(OS))
OLD = containerd-2.0 containerd-2.1 containerd-2.2 containerd-2.3

# What to run, and for how long.
RUN = .
PKGS =
FUZZTIME = 5s
E2E_TIMEOUT = 30m
DEMOFLAGS =
BENCHFLAGS =
# On FreeBSD: -runj FOLDER and -ocijail PROGRAM, to compare with.
PEERS =

TEST = $(TOOLS)/gotestsum --format pkgname --
TEST_E2E = E2E_REQUIRE=1 JAILSHIM_BIN="$$PWD/bin" $(TOOLS)/gotestsum --format testname -- \
	./test/e2e -count=1 -timeout $(E2E_TIMEOUT)

# On another machine, which E2E_FREEBSD_SSH names; see test/remote/main.go.
REMOTE = CGO_ENABLED=0 $(GO) build -o bin/test/ ./test/remote && GO='$(GO)' bin/test/remote
REMOTEFLAGS = -gotestsum $(TOOLS)/gotestsum -timeout $(E2E_TIMEOUT) -run '$(RUN)'

.PHONY: build tools demo test unit fuzz e2e e2e-freebsd unit-freebsd compat bench bench-freebsd lint install dist clean help

build: ## build the shim into bin/
	mkdir -p bin
	CGO_ENABLED=0 $(GO) build $(BUILD) -o bin/ ./cmd/...

tools: ## build containerd, ctr, runc, nerdctl, … from pinned modules (bin/tools/)
	@$(BUILD_TOOLS) containerd ctr $(RUNTIME) nerdctl crictl gotestsum

demo: build ## show containers under a private containerd, from nothing to removed
	@$(BUILD_TOOLS) containerd ctr $(RUNTIME)
	CGO_ENABLED=0 $(GO) build $(BUILD) -o bin/test/ ./test/demo ./test/guest
	bin/test/demo -bin bin $(DEMOFLAGS)

test: ## run everything: unit tests, fuzz targets (FUZZTIME=5s), end-to-end tests
	$(MAKE) unit
	$(MAKE) fuzz
	$(MAKE) e2e

unit: ## run the unit tests with the race detector
	@$(BUILD_TOOLS) gotestsum
	$(TEST) $(RACE) -timeout 10m $$($(GO) list ./... | grep -v '/test/e2e$$')

fuzz: ## run each fuzz target for FUZZTIME
	GO='$(GO)' tools/fuzz.sh $(FUZZTIME) $$($(GO) list ./... | grep -v '/test/e2e$$')

e2e: build tools ## run the end-to-end tests, as root (RUN=pattern: only some)
	$(TEST_E2E) -run '$(RUN)'

e2e-freebsd: ## run them on the FreeBSD machine E2E_FREEBSD_SSH=user@host:port, from here
	@$(BUILD_TOOLS) gotestsum
	$(REMOTE) e2e $(REMOTEFLAGS)

unit-freebsd: ## run unit tests there: of packages with files for it, or PKGS
	@$(BUILD_TOOLS) gotestsum
	$(REMOTE) unit $(REMOTEFLAGS) $(PKGS)

compat: build tools ## run the end-to-end tests against containerd 2.0 to 2.3
	@$(BUILD_TOOLS) $(OLD)
	$(TEST_E2E) -tags compat -run Compat

bench: build ## measure the shim, on Linux beside containerd's own, as root; writes docs/bench*
	@$(BUILD_TOOLS) containerd ctr $(RUNTIME)
	CGO_ENABLED=0 $(GO) build $(BUILD) -o bin/test/ ./test/bench ./test/guest
	bin/test/bench -bin bin -docs docs $(PEERS) $(BENCHFLAGS)

bench-freebsd: ## the same there, from here; writes docs/bench-freebsd.*
	$(REMOTE) bench $(PEERS) -- $(BENCHFLAGS)

lint: ## run golangci-lint and go vet, for linux and freebsd
	@$(BUILD_TOOLS) golangci-lint
	GOOS=linux $(GO) vet -tags compat ./...
	GOOS=freebsd $(GO) vet -tags compat ./...
	GOOS=linux $(TOOLS)/golangci-lint run --build-tags compat ./...
	GOOS=freebsd $(TOOLS)/golangci-lint run --build-tags compat ./...

install: ## install what "make build" made (PREFIX, DESTDIR; RUNJ_NAME=1: also under runj's name)
	@[ -x bin/$(SHIM) ] || { echo 'bin/$(SHIM) is not there: run "make build" first' >&2; exit 1; }
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 bin/$(SHIM) "$(DESTDIR)$(PREFIX)/bin/$(SHIM)"
	for c in $(COMMANDS); do install -m 755 bin/$$c "$(DESTDIR)$(PREFIX)/bin/$$c" || exit 1; done
	install -d "$(DESTDIR)$(PREFIX)/libexec/cni"
	install -m 755 bin/$(CNI) "$(DESTDIR)$(PREFIX)/libexec/cni/jail-bridge"
	[ '$(RUNJ_NAME)' != 1 ] || ln -sf $(SHIM) "$(DESTDIR)$(PREFIX)/bin/containerd-shim-runj-v1"

dist: ## make release tarballs for linux and freebsd, amd64 and arm64, the latter with a demo (bin/dist/)
	GO='$(GO)' tools/dist.sh '$(VERSION)'

clean: ## remove all that was built; the Go caches stay
	rm -rf bin

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' Makefile
