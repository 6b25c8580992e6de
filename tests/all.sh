#!/usr/bin/env bash
# Runs every check of the repository and stops at the first that fails. One heading a step; the last
# line counts checks, tests and traces: `N passed, N failed`.
#
#   bash tests/all.sh
#
# What the machine cannot do (no root, no valgrind …) is printed as `skipped: …`; with CI=true that fails.
set -uo pipefail
cd "$(dirname "$0")/.."

passed=0
skipped=0
log=$(mktemp)
export TICKERNEL_SKIPPED=$log.skipped # tests write here what they had to skip (tests/need/mod.rs)
: >"$TICKERNEL_SKIPPED"
trap 'rm -f "$log" "$TICKERNEL_SKIPPED"' EXIT

finish() { # FAILED: the closing line and the exit status
    printf '\n'
    [ "$skipped" -eq 0 ] || printf '%s skipped\n' "$skipped"
    printf '%s passed, %s failed\n' "$passed" "$1"
    [ "$1" -eq 0 ]
    exit
}

skip() { # WHAT AND WHY
    printf 'skipped: %s\n' "$1"
    skipped=$((skipped + 1))
    if [ "${CI:-}" = true ]; then
        printf 'FAILED: CI may skip nothing\n'
        finish 1
    fi
}

step() { # NAME COMMAND...: one check
    local name=$1 started=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    if ! "$@" >"$log" 2>&1; then
        cat "$log"
        printf 'FAILED: %s (again with: %s)\n' "$name" "$*"
        finish 1
    fi
    passed=$((passed + 1))
    printf 'ok (%s s)\n' $((SECONDS - started))
}

counted() { # WORD: the sum of the numbers before it in the lines that close a run in the log
    # nextest: `Summary … 12 tests run: 11 passed, 1 failed`; cargo test: `test result: ok. 11 passed;
    # 1 failed`; replay_all.py: `11 passed, 1 failed`.
    grep -E '^( +Summary |test result: |[0-9]+ passed, )' "$log" | grep -oE "[0-9]+ ($1)" |
        awk '{n += $1} END {print n + 0}'
}

tests() { # NAME COMMAND...: a step that counts what it runs, and says so
    local name=$1 started=$SECONDS status=0 ok bad
    shift
    printf '\n== %s\n' "$name"
    "$@" >"$log" 2>&1 || status=$?
    ok=$(counted 'passed')
    bad=$(counted 'failed|timed out')
    passed=$((passed + ok))
    if [ "$status" -ne 0 ]; then
        cat "$log"
        printf 'FAILED: %s (again with: %s)\n' "$name" "$*"
        finish $((bad > 0 ? bad : 1))
    fi
    printf '%s passed (%s s)\n' "$ok" $((SECONDS - started))
    while IFS= read -r what; do skip "$what"; done < <(sort -u "$TICKERNEL_SKIPPED")
    : >"$TICKERNEL_SKIPPED"
}

core_dependencies() { # the core knows these crates and no other; none of them brings std's randomness
    local allowed='ahash hashbrown hecs smallvec' direct strange
    direct=$(cargo tree --locked -p tickernel-systems -e normal --depth 1 --prefix none --format '{lib}') || return
    strange=$(printf '%s\n' "$direct" | tail -n +2 | grep -vxF "${allowed// /$'\n'}")
    if [ -n "$strange" ]; then
        printf 'systems/Cargo.toml depends on: %s\nallowed are: %s\n' "$strange" "$allowed"
        return 1
    fi
    if cargo tree --locked -p tickernel-systems -e normal --prefix none | grep -E '^(getrandom|const-random|rand) '; then
        printf 'a dependency of the core brings random seeds: default-features = false\n'
        return 1
    fi
    if cargo tree --locked -p tickernel-systems -e features --prefix none | grep -E '(hecs|ahash|hashbrown|smallvec) feature "std"'; then
        printf 'a dependency of the core is built with std: default-features = false\n'
        return 1
    fi
}

bare_target() { rustup target list --installed 2>/dev/null | grep -m 1 -e '-none$\|-none-'; }

step 'Cargo.lock is current' cargo metadata --locked --format-version 1
step 'formatting' cargo fmt --all --check
step 'formatting, fuzz targets' cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
step 'clippy' cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
step 'clippy, without features' cargo clippy --locked --lib --no-default-features -- -D warnings
step 'clippy, feature proptest alone' cargo clippy --locked --lib --no-default-features --features proptest -- -D warnings
step 'the core, built alone' cargo build --locked -p tickernel-systems
if target=$(bare_target); then
    step "the core, for $target" cargo build --locked -p tickernel-systems --target "$target"
fi
step 'what the core depends on' core_dependencies
step 'documentation' env RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --all-features --no-deps
# Everything that is needed for release in one build, so that no crate is built twice with other features:
# the examples are those whose instructions are counted (tests/instructions.rs asks for the same build).
step 'release build' cargo build --locked --release -p tickernel -p tickernel-systems --bin tickernel --example face_ops --example file_ops --example ops
if cargo nextest --version >/dev/null 2>&1; then
    tests 'tests' cargo nextest run --locked --workspace --all-features --no-fail-fast
else
    tests 'tests' cargo test --locked --workspace --all-features --all-targets --no-fail-fast
fi
tests 'documentation tests' cargo test --locked --workspace --all-features --doc
if command -v python3 >/dev/null; then
    tests 'replay of traces/, with stored digests' python3 tests/replay_all.py
else
    skip 'replay of traces/ (no python3)'
fi
# Its own workspace: it links the published crate. Half a second of work: not built for release. Without a registry its crates may be here already.
peer=benches/peer/Cargo.toml
if cargo fetch --locked --manifest-path "$peer" >/dev/null 2>&1 ||
    cargo fetch --locked --offline --manifest-path "$peer" >/dev/null 2>&1; then
    step 'formatting, peer twin' cargo fmt --manifest-path "$peer" --check
    step 'peer twin: 500 programs on the published crate too' \
        cargo run --locked --quiet --manifest-path "$peer" -- --programs 500 --seed 1
    tail -n 1 "$log"
else
    skip 'the peer twin (its crates cannot be fetched)'
fi
# Its own workspace too: it links libFuzzer, whose C++ needs a compiler.
fuzz=tests/fuzz/Cargo.toml
if command -v c++ >/dev/null && { cargo fetch --locked --manifest-path "$fuzz" >/dev/null 2>&1 ||
    cargo fetch --locked --offline --manifest-path "$fuzz" >/dev/null 2>&1; }; then
    step 'clippy, fuzz targets' cargo clippy --locked --manifest-path "$fuzz" --target-dir target --all-targets -- -D warnings
else
    skip 'the fuzz targets (no C++ compiler, or its crates cannot be fetched)'
fi
finish 0
