#!/usr/bin/env bash
# The main job on a model that ships in fixtures/: look, then operate. Called by `make demo` with the path of `gs`.
set -euo pipefail
gs=$1
model=fixtures/metagraph/face_resnet

say() {
    printf '\n$ gs %s\n' "$*"
    "$gs" "$@"
}

say --version
say show "$model"
say find "$model" --shape '?,512'
say weights "$model" --match 'logits/*'
say check "$model"
