#!/usr/bin/env bash
# Shows helm-keyring with a real Helm on a bundled chart. `make demo` builds first and sets HELM.
# Ends with an exit code above 0 if anything is not as told here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

helm=${HELM:?set HELM to a helm binary, or run: make demo}
keyring=$(realpath "${CARGO_TARGET_DIR:-target}/release/helm-keyring")
chart=testdata/charts/lightrun
values=demo/values-empty.yaml

# The reader's own settings must not change what is shown.
unset "${!HELM_KEYRING_@}" HELM_NAMESPACE
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

heading() { printf '\n== %s\n\n' "$*"; }
say() { printf '%s\n' "$*"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }
show() { sed 's/^/    /' "$1"; }

heading "1. A values file without a key is refused"
say "$ helm template lr $chart -f $values | helm-keyring render -f $values"
"$helm" template lr "$chart" -f "$values" >"$work/helm-1.yaml"
code=0
"$keyring" render -f "$values" <"$work/helm-1.yaml" >"$work/refused.yaml" 2>"$work/refused.txt" || code=$?
show "$work/refused.txt"
say "exit code $code, and $(wc -c <"$work/refused.yaml") bytes on stdout"
[[ $code -eq 1 ]] || fail "expected exit code 1"
[[ ! -s $work/refused.yaml ]] || fail "a refused run printed something"
grep -q '^error\[auto-generated-key\]' "$work/refused.txt" || fail "expected the message auto-generated-key"

heading "2. The same chart, with keys from a sealed file"
cp demo/keyring.yaml "$work/keyring.yaml"
say "keyring.yaml says:"
grep -v '^#' "$work/keyring.yaml" >"$work/shown.yaml"
show "$work/shown.yaml"
tool() { (cd "$work" && "$keyring" "$@"); }
run() {
    say ""
    say "\$ helm-keyring $*"
    tool "$@" >"$work/out.txt" 2>"$work/err.txt" || { cat "$work/err.txt" >&2; fail "helm-keyring $1 failed"; }
    show "$work/out.txt"
}
run sealed init -e production --deploy-key-file deploy.key --recovery-key-file recovery.key
run sealed add -e production
run lock -e production
run rotate -e production
tool rotate -e production >"$work/out.txt"
say ""
say "Rotated once more, there are three keys. keys/production.sealed and keyring.lock are for git, the .key files are not."
say ""
say "\$ helm template lr $chart -f $values | helm-keyring render -e production -f $values"
render() { "$keyring" render --config "$work/keyring.yaml" -e production -f "$values"; }
render <"$work/helm-1.yaml" >"$work/rendered-1.yaml"

say ""
say "The difference to Helm's own output, with <base64> in place of every key:"
masked() { sed -E 's#[A-Za-z0-9+/]{43,}=#<base64>#g' "$1"; }
masked "$work/helm-1.yaml" >"$work/helm.masked"
masked "$work/rendered-1.yaml" >"$work/rendered.masked"
diff -U 2 --label helm --label helm-keyring "$work/helm.masked" "$work/rendered.masked" >"$work/shown.diff" || true
# What is printed must hold no key, neither as it is nor as a Secret writes it.
mkdir "$work/backup"
tool copy -e production --to dir=backup >"$work/out.txt"
for key in "$work"/backup/*; do
    tr -d '\n' <"$key"; echo
    tr -d '\n' <"$key" | base64 -w 0; echo
done >"$work/texts"
grep -q -F -f "$work/texts" "$work/shown.diff" && fail "a key would be shown"
show "$work/shown.diff"

[[ $(grep -c -F -f "$work/texts" "$work/rendered-1.yaml") -eq 3 ]] || fail "expected three keys in the Secret, once each"
for number in 0 1 2; do
    [[ $(grep -c -- "- key: encryption-key-$number" "$work/rendered-1.yaml") -eq 2 ]] ||
        fail "expected encryption-key-$number in the volumes of two Deployments"
done
# Gone: the key that the chart made up, on two lines. New: `data:` and three keys, two marks that let the Secret outlive
# its release; in each of two Deployments two lines of annotation and two keys of two lines.
[[ $(grep -c '^-[^-]' "$work/shown.diff") -eq 2 && $(grep -c '^+[^+]' "$work/shown.diff") -eq 19 ]] ||
    fail "expected 2 lines less and 19 lines more"
say ""
say "The Secret has the three keys and is marked to stay, both Deployments that mount keys mount all of them, and nothing else differs."

heading "3. Two renders are equal, byte for byte"
"$helm" template lr "$chart" -f "$values" >"$work/helm-2.yaml"
render <"$work/helm-2.yaml" >"$work/rendered-2.yaml"
compare() {
    if cmp -s "$1" "$2"; then say "equal"; else say "different"; fi
}
alone=$(compare "$work/helm-1.yaml" "$work/helm-2.yaml")
through=$(compare "$work/rendered-1.yaml" "$work/rendered-2.yaml")
say "helm alone, twice:           $alone (the chart makes up another key each time)"
say "through helm-keyring, twice: $through"
[[ $alone == different ]] || fail "expected Helm alone to render another key each time"
[[ $through == equal ]] || fail "expected equal bytes"

heading "4. A key that is lost or replaced is refused"
say "Somebody restores an old copy of the source, in which the newest key is missing:"
rm "$work/backup/encryption-key-2"
code=0
HELM_KEYRING_SOURCE="dir=$work/backup" render <"$work/helm-1.yaml" >"$work/refused.yaml" 2>"$work/refused.txt" || code=$?
sed -i "s#$work/##g" "$work/refused.txt"
show "$work/refused.txt"
say "exit code $code, and $(wc -c <"$work/refused.yaml") bytes on stdout"
[[ $code -eq 4 && ! -s $work/refused.yaml ]] || fail "expected exit code 4 and nothing printed"
grep -q '^error\[lock-mismatch\]' "$work/refused.txt" || fail "expected the message lock-mismatch"

heading "On your own chart"
cat <<END
cargo install --path . --locked      # here, once
cd ../my-repository                  # then in yours
helm-keyring init ./chart            # writes keyring.yaml: read it
helm-keyring sealed init             # a file for the keys, and two master keys, shown once
export HELM_KEYRING_MASTER_KEY=…     # the one called deploy
helm-keyring sealed add              # the first key. Is the chart running already? Then docs/adopt.md instead
helm-keyring lock                    # keyring.lock: which keys are in use
helm template my-release ./chart -f values.yaml | helm-keyring render -f values.yaml

A chart that is neither Lightrun nor DevMesh needs a profile: docs/profiles.md. What a refusal means: docs/render.md.
END
