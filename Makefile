# The recipes that a person and CI both use.

# A program of the workspace that checks house rules and writes generated documents
XTASK := cargo xtask

# Most tests wait for a process, a server or a clock, and not for a CPU: six at least run at once.
export RUST_TEST_THREADS ?= $(shell cpus=$$(nproc); echo $$((cpus > 6 ? cpus : 6)))

# One target directory for all, which scripts and tests know
unexport CARGO_TARGET_DIR

# Each has a binary, an image and a README.
TASKS := wait-for fix-perms
SIDECARS := log-forwarder proxy token-refresher metrics-exporter
HELPERS := $(TASKS) $(SIDECARS)

# Static binaries, for a machine or an image with nothing else on it. What each flag saves of fix-perms: relative relocations packed
# (RELR) 5 %; frame pointers, which shorten the tables for backtraces, 2 %; SHA-256 as a loop, for CPUs without an instruction
# for it, 0.4 %; equal functions folded, which only lld does, 1 %.
TARGET ?= $(shell uname -m)-unknown-linux-gnu
STATIC_FLAGS := -C target-feature=+crt-static -C force-frame-pointers=yes --cfg=sha2_backend_soft=\"compact\"
ifneq ($(findstring -gnu,$(TARGET)),)
STATIC_FLAGS += -C link-arg=-Wl,-z,pack-relative-relocs
endif
ifeq ($(TARGET),x86_64-unknown-linux-gnu)
STATIC_FLAGS += -C link-arg=-Wl,--icf=all
endif
# Where sources lie must not change a binary: messages of panics name them.
STATIC_FLAGS += --remap-path-prefix=$(CURDIR)=/sidekit --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo
# Of zstd only the strategy of level 1, which is the one that log-forwarder uses: 0.33 MB less. One way to decompress instead of
# two, and none for each kind of CPU: 0.06 MB less.
ZSTD_FLAGS := $(foreach strategy,DFAST GREEDY LAZY LAZY2 BTLAZY2 BTOPT BTULTRA,-DZSTD_EXCLUDE_$(strategy)_BLOCK_COMPRESSOR)
ZSTD_FLAGS += -DHUF_FORCE_DECOMPRESS_X1 -DZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT -DDYNAMIC_BMI2=0
RELEASE := target/$(TARGET)/release
# Profiles of Cargo.toml: tasks, and sidecars whose work is CPU
TASK := target/$(TARGET)/task
FORWARDER := target/$(TARGET)/forwarder
EXPORTER := target/$(TARGET)/exporter
PROXY := target/$(TARGET)/proxy
# Sidecars that wait on I/O are built for size, with the profile release. The work of these is CPU, but not in all of their
# dependencies; see the profiles of these names.
FORWARDERS := log-forwarder
EXPORTERS := metrics-exporter
PROXIES := proxy
IO_BOUND := $(filter-out $(FORWARDERS) $(EXPORTERS) $(PROXIES),$(SIDECARS))

# Writes into each binary which crates it was built from, for scanners (trivy, grype, syft, cargo audit bin).
AUDITABLE := cargo-auditable@0.7.7
STATIC = CFLAGS="$(CFLAGS) $(ZSTD_FLAGS)" RUSTFLAGS="$(STATIC_FLAGS)" cargo auditable build --locked --target $(TARGET)

# Where images are named to come from. No public registry can answer for localhost, so that nothing foreign is pulled by mistake.
# Another one, with the path in it: make images REGISTRY=registry.example.com/team
REGISTRY ?= localhost/sidekit

.PHONY: demo test test-peers test-cluster check audit docs release images bench

demo: ## Show the helpers at work on real input; the first build takes two to five minutes and 1.2 GB
	cargo build --workspace --bins
	demo/wait-for
	demo/fix-perms
	demo/log-forwarder
	demo/proxy
	demo/token-refresher
	demo/metrics-exporter

check: ## Formats, lints, house rules
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --workspace --test peers --test stories --test containers -- -D warnings
	$(XTASK) tidy
	$(XTASK) docs --check
	if cargo deny --version >/dev/null 2>&1; then cargo deny check bans licenses sources; fi

test: ## All tests that need only Rust and gcc; those that need root are left out without it
	cargo build --workspace --all-targets
	$(MAKE) check XTASK=target/debug/xtask
	# As tasks are released: a panic ends them without unwinding. The tests named a_panic_… hold with and without it.
	CARGO_PROFILE_DEV_PANIC=abort CARGO_PROFILE_DEV_DEBUG=none cargo test --target-dir target/without-unwinding --package lifecycle --test cli -- a_panic_
ifeq ($(shell id -u),0)
	cargo test --workspace
else
	cargo test --workspace -- --skip as_root::
	@echo "SKIPPED: $$(cargo test --quiet -p fix-perms --test cli -- --list as_root:: | grep -c ': test$$') tests that need root"
endif

test-peers: ## Tests against real servers, which it installs and builds (Debian, root, Go)
	tests/install-peers
	cargo build --workspace --all-targets
	cargo test --workspace --test peers -- --test-threads 6

test-cluster: images ## Pods on a real Kubernetes, compose files on a Docker engine, both of which it installs and builds (Debian, root, Go)
	tests/install-cluster
	tests/cluster/cluster build
	$(STATIC) --release --package lifecycle --bin test-sidecar --package e2e --bin test-collector --bin test-issuer --bin test-app --bin test-grpc
	RELEASE=$(RELEASE) tests/images/build
	cargo test --no-run --workspace --test stories --test containers
	tests/cluster/cluster run target/images/*.tar target/test-images/*.tar -- \
		cargo test --offline --workspace --test stories -- --test-threads 6
	tests/engine/engine run target/images/*.tar target/test-images/*.tar -- \
		cargo test --offline --workspace --test containers -- --test-threads 4

audit: ## Known vulnerabilities in dependencies; needs cargo-deny, and the network for its database
	cargo deny check advisories

docs: ## Write what is generated: usage blocks, flag reference, man pages, completions
	cargo xtask docs

release: ## Static binaries; installs cargo-auditable, which lists in each what it was built from
	cargo install --quiet --locked $(AUDITABLE)
	$(STATIC) --profile task --bins $(TASKS:%=--package %)
	$(STATIC) --profile forwarder --bins $(FORWARDERS:%=--package %)
	$(STATIC) --profile exporter --bins $(EXPORTERS:%=--package %)
	$(STATIC) --profile proxy --bins $(PROXIES:%=--package %)
	$(if $(IO_BOUND),$(STATIC) --release --bins $(IO_BOUND:%=--package %))
	mkdir -p $(RELEASE)
	ln -f $(TASKS:%=$(TASK)/%) $(FORWARDERS:%=$(FORWARDER)/%) $(EXPORTERS:%=$(EXPORTER)/%) $(PROXIES:%=$(PROXY)/%) $(RELEASE)/
	ls -l $(HELPERS:%=$(RELEASE)/%)

images: release ## Images of all helpers, as archives in target/images; installs buildah and jq where they are missing (Debian, root)
	command -v buildah >/dev/null && command -v jq >/dev/null || tests/install-packages buildah jq ca-certificates
	REGISTRY=$(REGISTRY) images/build $(RELEASE) target/images $(HELPERS)
	images/sizes target/images $(HELPERS)

bench: images ## Each helper beside its peers, the images beside busybox's (after make test-cluster)
	bench/wait-for/run $(RELEASE)/wait-for
	bench/fix-perms/run $(RELEASE)/fix-perms
	bench/log-forwarder/run $(RELEASE)/log-forwarder
	bench/proxy/run $(RELEASE)/proxy
	bench/token-refresher/run $(RELEASE)/token-refresher
	bench/metrics-exporter/run $(RELEASE)/metrics-exporter
	tests/engine/engine run target/images/*.tar target/test-images/busybox.tar -- bench/images/run
