# `just` lists what is here.
default:
    @just --list

# A ready instance with an account and printed credentials
dev:
    cargo run -p allod-server -- quickstart dev --data target/dev-data

# Style, lints, house rules
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo nextest run -p allod-house

# Unit and property tests
test:
    cargo nextest run --workspace

# End to end, against the real binary
e2e:
    cargo build -p allod-server
    cargo nextest run -p allod-tests

# One foreign suite or real client: just conform litmus
conform SUITE:
    cargo build --release -p allod-server
    conformance/run {{SUITE}} --allod target/release/allod

# Benchmarks beside real peers
bench:
    just conform bench

# Fuzz the calendar and card formats: just fuzz calendar 60
fuzz TARGET SECONDS="60":
    core/formats/fuzz/run {{TARGET}} {{SECONDS}}

# IMAP beside Dovecot, on a quiet machine
imap-bench:
    just conform imap-bench
