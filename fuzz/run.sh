#!/usr/bin/env bash
# Runs every fuzz target for SECONDS_EACH seconds (60), or those that are named; ends with 1 if one finds something.
# Needs a nightly Rust and a C++ compiler; fetches cargo-fuzz into the user's cache folder when it is not there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=0.13.2
home=${XDG_CACHE_HOME:-$HOME/.cache}/helm-keyring/cargo-fuzz-$version
[[ -x $home/bin/cargo-fuzz ]] || cargo install --quiet --locked cargo-fuzz --version "$version" --root "$home"
export PATH=$home/bin:$PATH

# No sanitizer: there is no unsafe code of ours to watch, and without it there are several times more runs.
fuzz=(cargo "+${FUZZ_TOOLCHAIN:-nightly}" fuzz)
options=(--sanitizer none)
limits=(-max_total_time="${SECONDS_EACH:-60}" -timeout=10 -rss_limit_mb=4096 -max_len=8192 -dict=fuzz/yaml.dict)

"${fuzz[@]}" build "${options[@]}"
targets=("$@")
[[ $# -gt 0 ]] || mapfile -t targets < <("${fuzz[@]}" list)

table=$(printf '%-8s %12s %8s %10s' target runs seconds finding)
failed=0
for target in "${targets[@]}"; do
    mkdir -p "fuzz/corpus/$target"
    log=fuzz/corpus/$target.log
    finding=none start=$SECONDS
    "${fuzz[@]}" run "${options[@]}" "$target" "fuzz/corpus/$target" "fuzz/corpus-seed/$target" \
        -- "${limits[@]}" -print_final_stats=1 2>&1 | tee "$log" | grep -aE '^(thread|assert|Failing|Done|SUMMARY)|panicked|Test unit written' \
        || true
    if ! grep -qa '^Done ' "$log"; then
        finding=yes failed=1
    fi
    runs=$(grep -ao 'number_of_executed_units: *[0-9]*' "$log" | grep -o '[0-9]*$' || echo '?')
    table+=$(printf '\n%-8s %12s %8s %10s' "$target" "$runs" $((SECONDS - start)) "$finding")
done

echo "$table"
[[ $failed == 0 ]] || echo "the inputs are in fuzz/artifacts; make one small: cargo fuzz tmin TARGET INPUT"
exit "$failed"
