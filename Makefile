SHELL := bash
.SHELLFLAGS := -euo pipefail -c
# A recipe is one bash script: it stops at the first command that fails.
.ONESHELL:
.DEFAULT_GOAL := help
.PHONY: help demo test fmt bench fuzz package image

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: ## build, then show the tool with a real Helm: $HELM, the one on PATH, or a fetched one
	cargo build --release --locked
	helm=$${HELM:-$$(command -v helm || python3 tools/fetch.py helm-3.19.0 | cut -d' ' -f2-)}
	HELM=$$helm bash demo/run.sh

test: ## everything CI checks, in its order; the first time it fetches Helms and more, and builds Argo CD's plugin server if Go is there
	@times=
	step() {
		local name=$$1 start=$$SECONDS; shift
		echo "== $$name"
		"$$@"
		times+=" $$name $$((SECONDS - start))s"
	}
	step fetch python3 tools/fetch.py helm-3.17.3 helm-3.18.0 helm-3.19.0 helm-4.1.4 helm-4.3.1 kubectl-1.37.1 openbao-2.7.2 sops-3.11.0
	step argocd-server python3 -B tools/argocd_server.py
	step fmt cargo fmt --check
	step clippy cargo clippy --locked --all-targets -- -D warnings
	step doc env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
	step test cargo test --locked
	step tools python3 -B -m unittest discover -q -s tools
	echo "== all passed:$$times"
	# The last words: no reader of them shall take the imitation for the real one.
	if [ -z "$$(python3 -B tools/argocd_server.py --find)" ]; then
		echo "== not tried: Argo CD's real plugin server, only its imitation (the step argocd-server says why)"
	fi

package: ## build, then write the packaged Helm plugins into dist/
	cargo build --release --locked
	python3 tools/package.py target/release/helm-keyring

image: ## build and try the image of the sidecar for Argo CD: a static program, $HELM (or a fetched Helm 3.19.0), CA certificates
	bash deploy/argocd/build.sh

fmt: ## format the code
	cargo fmt

bench: ## run the benchmarks
	cargo bench --locked

fuzz: ## run the fuzz targets
	bash fuzz/run.sh
