# make run    the suite on this kernel          make test    every test of the project
# make bench  what the harness costs            make bless   regenerate what is generated, then look at the diff
#
# All build first; run, test and bench also install what is missing (as root, by apt). SKC_ARGS goes to
# `skc run`, as in make run SKC_ARGS='parent --verbose'.

.PHONY: run test bench bless needs
.DEFAULT_GOAL := run

SKC_ARGS ?=

run: needs
	cargo build --release --locked --package runners
	cargo run --quiet --release --locked --package runners -- run $(SKC_ARGS)

# The cases are the tests of `conformance`, which says why it ignores those that it does.
# A test lets a case run keyctl(1), to see what it is kept from. Another plays the suite on gVisor, by runsc(8),
# whose first release with session keyrings is 20240729: Debian 12 has it in its backports. One
# plays it on User Mode Linux.
test: PROGRAMS = yes
test: needs
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
	cargo test --workspace --locked

bench: needs
	cargo bench --locked --package runners

bless:
	SKC_BLESS=1 INSTA_UPDATE=always cargo test --locked --package harness --package reports
	git status --short

# A C compiler links Rust programs, and libc6-dev has the static libc: both are tried, because either
# can be there without the other.
needs:
	@minor=$$(cargo --version 2>/dev/null | cut -d. -f2); [ "$${minor:-0}" -ge 88 ] || \
	    { echo "A Rust toolchain is needed, 1.88 or later: see rustup.rs" >&2; exit 3; }
	@missing=; \
	echo 'int main(void) { return 0; }' | cc -static -x c - -o /dev/null 2>/dev/null || missing="$$missing gcc libc6-dev"; \
	$(if $(PROGRAMS),command -v keyctl >/dev/null || missing="$$missing keyutils"; command -v runsc >/dev/null || missing="$$missing runsc"; command -v linux.uml >/dev/null || missing="$$missing user-mode-linux";) \
	if [ -n "$$missing" ]; then \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	        echo "Installing$$missing"; \
	        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	    else \
	        echo "Not installed:$$missing (Debian's names). What needs them is skipped or fails to build." >&2; \
	    fi; \
	fi
