# The recipes that a person and CI both use. The place for `images` and `test-cluster` is here, below test-peers.

# Static binaries, for a machine or an image with nothing else on it. Relative relocations packed (RELR): 5 % smaller.
TARGET ?= $(shell uname -m)-unknown-linux-gnu
STATIC_FLAGS := -C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs
RELEASE := target/$(TARGET)/release

.PHONY: demo test test-peers check audit docs release bench

demo: ## Show the helpers at work on real input
	cargo build --workspace --bins
	demo/wait-for
	demo/fix-perms

check: ## Formats, lints, house rules
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy -p e2e --test peers -- -D warnings
	cargo xtask tidy
	cargo xtask docs --check
	if cargo deny --version >/dev/null 2>&1; then cargo deny check bans licenses sources; fi

test: check ## All tests that need only Rust and gcc; those that need root are left out without it
	cargo build --workspace --bins
ifeq ($(shell id -u),0)
	cargo test --workspace
else
	cargo test --workspace -- --skip as_root::
	@echo "SKIPPED: $$(cargo test --quiet -p fix-perms --test cli -- --list as_root:: | grep -c ': test$$') tests that need root"
endif

test-peers: ## Tests against real servers, which it installs (Debian, root)
	tests/install-peers
	cargo build --workspace --bins
	cargo test -p e2e --test peers -- --test-threads 4

audit: ## Known vulnerabilities in dependencies; needs cargo-deny, and the network for its database
	cargo deny check advisories

docs: ## Write what is generated: usage blocks, flag reference, man pages, completions
	cargo xtask docs

release: ## Static binaries
	RUSTFLAGS="$(STATIC_FLAGS)" cargo build --release --target $(TARGET) --bins -p wait-for -p fix-perms
	ls -l $(RELEASE)/wait-for $(RELEASE)/fix-perms

bench: release ## Each helper beside its peers
	bench/wait-for/run $(RELEASE)/wait-for
	bench/fix-perms/run $(RELEASE)/fix-perms
