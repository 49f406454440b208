#!/usr/bin/env bash
# The main job on a model that ships in fixtures/: look, then operate. Called by `make demo` with the path of `gs`.
set -euo pipefail
gs=$1
model=fixtures/metagraph/face_resnet/model-1.meta
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

say() {
    printf '\n$ gs %s\n' "$*"
    "$gs" "$@"
}

say --version
say show "$model"
say find "$model" --shape '?,512'
say weights "$model" --match 'logits/*'
say check "$model"
say outputs "$model" --shape '?,512'
say add-signature "$model" --outputs-by-shape 'embedding=?,512' -o "$out/served"
say show "$out/served"
say rename fixtures/savedmodel/linear serving_default=predict --what signatures -o "$out/renamed"
say diff fixtures/savedmodel/linear "$out/renamed" || true
