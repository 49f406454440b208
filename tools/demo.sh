#!/usr/bin/env bash
# The main job on models that ship in fixtures/: look, operate, prove, draw. Called by `make demo` with the path of `gs`.
set -euo pipefail
gs=$1
model=fixtures/metagraph/face_resnet/model-1.meta
out=demo
rm -rf "$out"
mkdir "$out"

if [ -t 1 ]; then bold=$'\e[1m' blue=$'\e[36m' plain=$'\e[0m'; else bold='' blue='' plain=''; fi

tell() {
    printf '\n%s# %s%s\n' "$blue" "$*" "$plain"
}

say() {
    printf '%s$ gs %s%s\n' "$bold" "$*" "$plain"
    "$gs" "$@"
}

tell "Somebody left a face recognition network as a checkpoint of its training. What is it?"
say show "$model"

tell "It has no signature. The embedding must have 512 numbers a face; which tensors have that shape?"
say find "$model" --shape '?,512' --producers-of 'logits/MatMul' --depth 12

tell "Is the file sound, and could it do anything to this machine?"
say check "$model"
say scan "$model"

tell "One step: keep what the embedding needs, switch training off, make constants of the variables."
say freeze "$model" --outputs E_BN2/Reshape_1 --set train_phase=false --set train_phase_last=false -o "$out/face.pb"

tell "What is left is smaller and has no switches. Fold what is constant, too."
say optimize "$out/face.pb" -o "$out/small.pb"
say show "$out/small.pb"

tell "Give it a signature, for TensorFlow Serving and for tf.saved_model.load."
say add-signature "$out/small.pb" --output embedding=E_BN2/Reshape_1 -o "$out/face/1"
say check "$out/face/1" --serving

tell "Another model: a client expects other keys. Rename one, and see that nothing else has changed."
say rename fixtures/savedmodel/linear serving_default=predict --what signatures -o "$out/renamed"
say diff fixtures/savedmodel/linear "$out/renamed" || true

tell "A picture of the network for a page, and one to click through."
say render "$out/face/1" -o "$out/face.svg"
say render "$out/face/1" -o "$out/face.html"

tell "Where to go on"
printf '%s\n' \
    "the results are in $out/: open $out/face.html in a browser" \
    "your own model:          $gs show MODEL" \
    "the same numbers?        $gs verify $out/face.pb $out/small.pb   (extra: tensorflow)" \
    "step by step:            docs/tutorial.md"
