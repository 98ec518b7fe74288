#!/bin/sh
# What `helm plugin install` runs: makes bin/helm-keyring, beside plugin.yaml, the program.
set -eu
cd "$HELM_PLUGIN_DIR"
if [ -x bin/helm-keyring ]; then
    exit 0
fi
mkdir -p bin
if program=$(command -v helm-keyring); then
    ln -sf "$program" bin/helm-keyring
elif command -v cargo >/dev/null; then
    cargo build --release --locked
    ln -sf ../target/release/helm-keyring bin/helm-keyring
else
    echo "helm-keyring: neither helm-keyring nor cargo is on the PATH; install one of them, then: helm plugin update keyring" >&2
    exit 1
fi
