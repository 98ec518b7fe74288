#!/usr/bin/env bash
# Builds the sidecar's image: a static helm-keyring, the helm of $HELM, the system's CA certificates, no shell.
#
#   HELM=/path/to/helm IMAGE=registry.example.com/helm-keyring:0.1.0 deploy/argocd/build.sh
#
# The files are collected in dist/image; docker, podman or buildah, whichever works here, makes an image of them, which is
# then tried. Without any of them, dist/image is what a builder elsewhere needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
image=${IMAGE:-helm-keyring:$version}
helm=${HELM:-$(python3 tools/fetch.py helm-3.19.0 | cut -d' ' -f2-)}
certificates=${CA_CERTIFICATES:-/etc/ssl/certs/ca-certificates.crt}
out=dist/image
target=$(rustc -vV | sed -n 's/^host: //p')

[[ -f $certificates ]] || { echo "build.sh: no CA certificates at $certificates; name them with CA_CERTIFICATES" >&2; exit 1; }
[[ -x $(command -v "$helm") ]] || { echo "build.sh: $helm cannot be run; name a helm with HELM" >&2; exit 1; }

RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --target "$target"
program=${CARGO_TARGET_DIR:-target}/$target/release/helm-keyring

rm -rf "$out"
mkdir -p "$out/tmp"
touch "$out/tmp/.keep"   # builders leave an empty folder out
chmod 1777 "$out/tmp"
install -m 755 "$program" "$out/helm-keyring"
install -m 755 "$(command -v "$helm")" "$out/helm"
install -m 644 "$certificates" "$out/ca-certificates.crt"
install -m 644 deploy/argocd/plugin.yaml deploy/argocd/Containerfile "$out/"
for program in helm-keyring helm; do
    if ldd "$out/$program" 2>/dev/null | grep -q '=>'; then
        echo "build.sh: $program is not static; it could not run in an empty image" >&2
        exit 1
    fi
done
echo "collected in $out"

# Each runs one command in the image, as its user.
docker_run() { "$tool" run --rm --entrypoint "$1" "$image" "${@:2}"; }
buildah_run() {
    local container
    container=$(buildah from "$image")
    buildah run --isolation chroot "$container" -- "$@" || { buildah rm "$container" >/dev/null; return 1; }
    buildah rm "$container" >/dev/null
}

run=
for tool in docker podman; do
    if "$tool" info >/dev/null 2>&1; then
        "$tool" build --tag "$image" --file "$out/Containerfile" "$out"
        run=docker_run
        break
    fi
done
if [[ -z $run ]] && command -v buildah >/dev/null; then
    export STORAGE_DRIVER=${STORAGE_DRIVER:-vfs}
    buildah build --isolation chroot --tag "$image" --file "$out/Containerfile" "$out"
    run=buildah_run
fi
if [[ -z $run ]]; then
    echo "not built and not tried: neither docker, podman nor buildah works here"
    exit 0
fi

# $2 is how it must begin.
expect() {
    local what=$1 expected=$2 found
    shift 2
    found=$("$run" "$@" 2>&1) || true
    [[ $found == "$expected"* ]] || { printf 'build.sh: %s: expected %s, found:\n%s\n' "$what" "$expected" "$found" >&2; exit 1; }
    echo "tried: $what"
}
expect "helm-keyring runs" "helm-keyring $version" helm-keyring --version
expect "helm runs" "v" helm version --template "{{.Version}}"
expect "it prints the manifest that is in the image" "$(cat deploy/argocd/plugin.yaml)" helm-keyring argocd print plugin
expect "it refuses what Argo CD did not start" "error[not-argocd]" helm-keyring argocd generate
expect "it reads a configuration" 'error[wrong-value]: `apiVersion` must be' helm-keyring argocd test \
    --sidecar /home/argocd/cmp-server/config/plugin.yaml --project a --namespace b --keyring c --environment d
if "$run" sh -c true >/dev/null 2>&1; then
    echo "build.sh: there is a shell in the image" >&2
    exit 1
fi
echo "tried: there is no shell"
echo "built: $image"
