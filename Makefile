# The two commands of the README are `make demo` and `make test`.
.PHONY: demo test test-otlp lint bench audit linked test-linked lint-linked setup-demo setup-test model help

help:
	@echo "make demo    talk to the sample business on a page of this machine (no account, no Redis)"
	@echo "make test    install what the tests need and run everything"
	@echo "make lint    formatting and clippy, warnings are errors"
	@echo "make test-otlp  build with traces and test them (minutes: everything is built again)"
	@echo "make bench   measure, and print one table"
	@echo "make faults  show every promise under faults; the long form with FAULTS=long"
	@echo "make audit   licences, bans and advisories of the dependencies"
	@echo "make linked  the companion for numbers linked by QR code (its own licence: linked/README.md)"
	@echo "make test-linked  the companion's stories beside a stand-in on loopback"

demo: setup-demo
	cargo build --locked
	target/debug/switchboard serve --demo

test: setup-test lint
	scripts/run-tests

lint:
	cargo fmt --all --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --features otlp --test traces -- -D warnings

test-otlp:
	cargo test --locked --features otlp --test traces

bench: setup-demo
	scripts/run-benches

# FAULTS=long for the long form, SEED=7 for another run, FORMAT=json for programs, ONLY=f5 for some of it,
# OTHER=PROGRAM for an earlier version that F17 puts in the place of this one.
# Only the report goes to standard output.
faults:
	@scripts/setup test >&2
	@scripts/faults $(if $(filter long,$(FAULTS)),--long) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY)) $(if $(OTHER),--other $(abspath $(OTHER))) $(if $(FORMAT),--format $(FORMAT))

audit:
	scripts/audit

# A package of its own, with a target directory of its own: the main binary has none of what it links.
linked:
	cd linked && cargo build --locked --release --package switchboard-linked

test-linked: setup-demo
	scripts/test-linked

# Minutes at the first time: clippy reads the whole tree again.
lint-linked:
	cd linked && cargo fmt --all --check
	cd linked && cargo clippy --locked --workspace --all-targets --features switchboard-linked/loopback-test -- -D warnings

setup-demo:
	@scripts/setup demo

setup-test:
	@scripts/setup test

model:
	@scripts/whisper-model
