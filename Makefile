# make run    the suite on this kernel          make test    every test of the project
# make bench  what harness and machines cost    make bless   regenerate what is generated, then look at the diff
# make helpers   the programs of cases that call libkeyutils and PAM, into target/helpers: `skc` finds them there
# make results   the suite on every kernel of the catalogue and on gVisor, published in reports/results and the README
# make entrypoints  the suite as others run it, ready to be copied, into target/entrypoints
# make consumers  the programs that read our formats or run the suite, for the tests, into target/consumers
# make engines   LAVA, Slurm and autopkgtest, for the tests, in a Debian of their own in the cache
#
# All build first; run, test and bench also install what is missing (as root, by apt). SKC_ARGS goes to
# `skc run`, as in make run SKC_ARGS='parent --verbose'.

.PHONY: run test bench bless results needs helpers consumers engines entrypoints
.DEFAULT_GOAL := run

SKC_ARGS ?=

run: needs helpers
	cargo build --release --locked --package runners
	cargo run --quiet --release --locked --package runners -- run $(SKC_ARGS)

# The cases are the tests of `conformance`, which says why it ignores those that it does.
# Programs that tests start, each with its package: cases run keyctl(1), and programs that have PAM open sessions; gpg(1)
# signs mirrors that the tests make; chromium shows the page of runs; the others have workers below them. Where the runsc that is installed is older than 20240729, and
# so without session keyrings, the test of gVisor fetches Debian 13's.
test: HEADERS = keyutils.h:libkeyutils-dev security/pam_appl.h:libpam0g-dev
test: PROGRAMS = keyctl:keyutils sudo:sudo runsc:runsc gpg:gnupg patch:patch xz:xz-utils chromium:chromium \
    qemu-system-x86_64:qemu-system-x86 qemu-x86_64-static:qemu-user-static linux.uml:user-mode-linux \
    python3:python3 rsync:rsync cpio:cpio musl-gcc:musl-tools perl:perl cmark-gfm:cmark-gfm git:git mmdebstrap:mmdebstrap
test: MODULES = ensurepip:python3-venv
test: needs helpers consumers engines
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
	cargo test --workspace --locked

bench: PROGRAMS = keyctl:keyutils sudo:sudo qemu-system-x86_64:qemu-system-x86 busybox:busybox-static
bench: needs helpers
	cargo bench --locked --package runners

# Without the headers of its library a program is left out: the cases that want it are skipped and say so.
helpers: needs target/helpers/skc-libkeyutils target/helpers/skc-pam

target/helpers/skc-libkeyutils: LIBRARY = keyutils
target/helpers/skc-pam: LIBRARY = pam
target/helpers/%: runners/helpers/%.c
	@mkdir -p $(@D)
	@cc -O2 -Wall -Wextra -o $@ $< -l$(LIBRARY) 2>$@.log && rm $@.log || echo "Not built: $@ (see $@.log)" >&2

entrypoints: needs helpers
	cargo build --release --locked --package runners
	@rm -rf target/$@ && mkdir -p target/$@ && cp -r runners/entrypoints/*/ target/$@
	@cp vm-images/config/full.config target/$@/kselftest/session_keyring/config
	@for folder in kselftest/session_keyring tmt; do \
	    cp target/*/release/skc target/$@/$$folder && cp -r target/helpers target/$@/$$folder || exit; \
	done
	@echo "See the README.md of each folder in target/$@"

# Without them the tests that need them are ignored and say so.
consumers: MODULES = ensurepip:python3-venv
consumers: needs target/consumers/installed

target/consumers/installed: reports/tests/consumers/requirements.txt
	@echo "Installing the programs that read our formats into $(@D)"
	@rm -rf $(@D) && mkdir -p $(@D)
	@{ python3 -m venv $(@D) && $(@D)/bin/pip install --quiet --disable-pip-version-check --requirement $<; } \
	    >$(@D).log 2>&1 && cp $< $@ && rm $(@D).log || echo "Not installed: $(@D) (see $(@D).log)" >&2

# A Debian of their own for those that are too large for this one, in the cache of the user.
engines: PROGRAMS = mmdebstrap:mmdebstrap
engines: needs
	@[ "$$(id -u)" != 0 ] || runners/entrypoints/engines make >/dev/null || echo "Not installed: LAVA, Slurm and autopkgtest" >&2

results: PROGRAMS = keyctl:keyutils sudo:sudo runsc:runsc qemu-system-x86_64:qemu-system-x86
results: needs helpers
	cargo build --release --locked --package runners
	cargo run --quiet --release --locked --package runners --example results

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
	$(foreach program,$(PROGRAMS),command -v $(word 1,$(subst :, ,$(program))) >/dev/null || missing="$$missing $(word 2,$(subst :, ,$(program)))";) \
	$(foreach module,$(MODULES),python3 -c 'import $(word 1,$(subst :, ,$(module)))' 2>/dev/null || missing="$$missing $(word 2,$(subst :, ,$(module)))";) \
	$(foreach header,$(HEADERS),echo '#include <$(word 1,$(subst :, ,$(header)))>' | cc -include stddef.h -fsyntax-only -x c - 2>/dev/null || missing="$$missing $(word 2,$(subst :, ,$(header)))";) \
	if [ -n "$$missing" ]; then \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	        echo "Installing$$missing"; \
	        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	    else \
	        echo "Not installed:$$missing (Debian's names). What needs them is skipped or fails to build." >&2; \
	    fi; \
	fi
