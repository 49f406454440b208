"""What errors advise: command, advice, and the way that it tells. See `hints.Case`."""

from __future__ import annotations

from tests.cli.hints import Case

GRAPHS = [
    Case(
        "freeze graphdef/linear.pb --outputs-by-shape ?,77 -o OUT/o.pb",
        "no output of the main graph has the shape ?,77; gs outputs lists the likely ones",
        ["outputs graphdef/linear.pb"],
    ),
    Case(
        "add-signature savedmodel/linear --past-parser -o OUT/m",
        "nothing in the model parses serialized examples; gs inputs lists what is fed",
        ["inputs savedmodel/linear"],
    ),
    Case(
        "add-signature OUT/parser_aside.pbtxt --past-parser -o OUT/m",
        "name the outputs: gs outputs lists likely ones",
        [
            "outputs OUT/parser_aside.pbtxt",
            "add-signature OUT/parser_aside.pbtxt --past-parser --output y=parse -o OUT/m",
        ],
    ),
    Case(
        "add-signature OUT/parser_aside.pbtxt --past-parser --output y=y -o OUT/m",
        "gs find MODEL --op 'Parse*' lists parsers; gs add-signature --input KEY=TENSOR names tensors itself",
        [
            "find OUT/parser_aside.pbtxt --op 'Parse*'",
            "add-signature OUT/parser_aside.pbtxt --input x=x --output y=y -o OUT/m",
        ],
    ),
    Case(
        "add-signature OUT/parser_and_more.pbtxt --past-parser --output y=y -o OUT/m",
        "which no parser reads past; gs add-signature MODEL --input KEY=TENSOR ... names all inputs itself",
        ["add-signature OUT/parser_and_more.pbtxt --input age=parse --input x=x --output y=y -o OUT/m"],
    ),
    Case(
        "add-signature OUT/parser_in_branch.pbtxt --past-parser --output y=y -o OUT/m",
        "gs add-signature --input KEY=TENSOR takes tensors outside; or export a signature that is fed the features",
        ["add-signature OUT/parser_in_branch.pbtxt --input branch=branch --output y=y -o OUT/m"],
    ),
    Case(
        "add-signature OUT/in_function.pbtxt --output y=y --input x=r -o OUT/m",
        "gs extract --inputs cuts inside functions too",
        ["extract OUT/in_function.pbtxt --inputs r --outputs y -o OUT/o.pb"],
    ),
    Case(
        "add-output OUT/not_called.pbtxt r=z -o OUT/o.pb",
        "choose a function that runs (gs find lists which have the node), or take this one by itself: gs extract",
        ["find OUT/not_called.pbtxt --name r", "extract OUT/not_called.pbtxt --outputs r -o OUT/o.pb"],
    ),
    Case(
        "convert graphdef/linear.pb OUT/o --outputs Softmax",
        "--outputs is for conversions such as to .onnx; gs freeze and gs extract cut a graph",
        [
            "freeze graphdef/linear.pb --outputs Softmax -o OUT/a.pb",
            "extract graphdef/linear.pb --outputs Softmax -o OUT/b.pb",
        ],
    ),
    Case(
        "convert graphdef/linear.pb OUT/o --no-verify",
        "--no-verify is for conversions such as to .onnx; gs freeze and gs extract cut a graph",
        [
            "freeze graphdef/linear.pb --outputs Softmax -o OUT/a.pb",
            "extract graphdef/linear.pb --outputs Softmax -o OUT/b.pb",
        ],
    ),
    Case(
        "convert graphdef/linear.pb OUT/o --shape x=1,4",
        "gs set-input changes the shape of an input",
        ["set-input graphdef/linear.pb --shape x=1,4 -o OUT/o.pb"],
    ),
    Case("convert graphdef/linear.pb", "gs convert MODEL OUT", ["convert graphdef/linear.pb OUT/o"]),
    Case(
        "convert tflite/float.tflite OUT/logdir --format logdir",
        "TensorBoard shows GraphDefs only; gs render draws a TFLite model",
        ["render tflite/float.tflite -o OUT/o.svg"],
    ),
    Case(
        "verify checkpoint/name_based checkpoint/name_based",
        "a checkpoint has no graph to run; gs diff compares its values",
        ["diff checkpoint/name_based checkpoint/name_based"],
    ),
    Case(
        "verify tflite/float.tflite checkpoint/name_based",
        "a checkpoint has no graph to run; gs diff compares its values",
        ["diff checkpoint/name_based checkpoint/name_based"],
    ),
    Case(
        "set-input graphdef/linear.pb --defaults constants -o OUT/o.pb",
        "the model has no placeholder with a default; gs inputs lists what goes in",
        ["inputs graphdef/linear.pb"],
    ),
    Case(
        "join savedmodel/linear tflite/float.tflite --connect output_0=x -o OUT/m",
        "cannot be joined; gs convert makes one of the other",
        ["convert savedmodel/linear OUT/o.tflite"],
        ("tensorflow", "litert"),
    ),
    Case(
        "join OUT/narrow.pbtxt OUT/wide.pbtxt --connect y=x -o OUT/o.pb",
        "gs set-input changes the shape of an input, where the model allows it",
        [
            "set-input OUT/wide.pbtxt --shape x=2,4 -o OUT/a.pb",
            "join OUT/narrow.pbtxt OUT/a.pb --connect y=x -o OUT/o.pb",
        ],
    ),
    Case(
        "join OUT/narrow.pbtxt OUT/int_input.pbtxt --connect y=ids -o OUT/o.pb",
        "gs set-input changes the dtype of an input, with a Cast",
        [
            "set-input OUT/int_input.pbtxt --dtype ids=float32 -o OUT/a.pb",
            "join OUT/narrow.pbtxt OUT/a.pb --connect y=ids -o OUT/o.pb",
        ],
    ),
    Case(
        "join OUT/leads_nowhere.pbtxt OUT/has_gone.pbtxt --connect y=x -o OUT/o.pb",
        "and the other has such a node; gs check says where it stands",
        ["1: check OUT/leads_nowhere.pbtxt"],
    ),
    Case(
        "rewire graphdef/linear.pb Identity=x -o OUT/o.pb",
        "gs find lists who reads what; x:0=Identity:0 is the other way",
        ["find graphdef/linear.pb --consumers-of x"],
    ),
    Case(
        "rewire savedmodel/keras_export StatefulPartitionedCall=functional_1/pool_1/Mean -o OUT/m",
        "gs add-output carries a tensor out of a function",
        ["add-output savedmodel/keras_export functional_1/pool_1/Mean=out -o OUT/m"],
    ),
    Case(
        "replace graphdef/linear.pb --rule nothing -o OUT/o.pb",
        "there is no rule 'nothing'; gs replace --list-rules lists them",
        ["replace --list-rules"],
    ),
    Case(
        "replace graphdef/linear.pb 'Softmax(x)' -o OUT/o.pb",
        "write 'PATTERN => NEW', or gs find --pattern",
        [
            "replace graphdef/linear.pb 'Softmax(x) => Relu(x)' -o OUT/o.pb",
            "find graphdef/linear.pb --pattern 'Softmax(x)'",
        ],
    ),
    Case(
        "find graphdef/linear.pb --pattern 'Softmax(x) => Relu(x)'",
        "gs replace does that",
        ["replace graphdef/linear.pb 'Softmax(x) => Relu(x)' -o OUT/o.pb"],
    ),
    Case(
        "strip graphdef/constants.pb -o OUT/o.pb",
        "nothing says what the outputs are; give --outputs; gs outputs lists candidates",
        ["1: outputs graphdef/constants.pb", "outputs OUT/narrow.pbtxt"],
    ),
    Case(
        "outputs graphdef/constants.pb",
        "no likely outputs; gs find lists every value",
        ["find graphdef/constants.pb"],
    ),
    Case(
        "freeze graphdef/linear.pb --outputs nosuch -o OUT/o.pb",
        "gs outputs lists the likely ones",
        ["outputs graphdef/linear.pb"],
    ),
    Case(
        "freeze savedmodel/linear --keep-vars zzz -o OUT/m",
        "has a name or key that 'zzz' matches; gs weights lists both",
        ["weights savedmodel/linear", "freeze savedmodel/linear --keep-vars w -o OUT/m"],
    ),
    Case(
        "freeze savedmodel/v1_missing_entries --signature broken -o OUT/o.pb",
        "see gs weights",
        ["weights savedmodel/v1_missing_entries"],
    ),
    Case(
        "freeze OUT/filled.meta.pbtxt --outputs y -o OUT/o.pb",
        "keep the SavedModel: gs strip leaves what fills it; or cut it off with --inputs",
        ["strip OUT/filled.meta.pbtxt --outputs y -o OUT/a.meta"],
    ),
    Case(
        "freeze graphdef/linear.pb --ema -o OUT/o.pb --outputs Identity",
        "or be kept by an optimizer: gs weights lists all",
        ["weights graphdef/linear.pb"],
    ),
    Case(
        "add-output savedmodel/linear StatefulPartitionedCall=z --signature __saved_model_init_op -o OUT/m",
        "gs add-signature makes a signature that does",
        ["add-signature savedmodel/linear --name other --output z=StatefulPartitionedCall -o OUT/m"],
    ),
    Case(
        "add-output savedmodel/several_signatures Softmax=z --signature decode -o OUT/m",
        "leave --signature out, or make a signature of its own with gs add-signature",
        [
            "add-output savedmodel/several_signatures Softmax=z -o OUT/a",
            "add-signature savedmodel/several_signatures --name own --output z=Softmax -o OUT/b",
        ],
    ),
    Case(
        "add-signature savedmodel/v1_unfed_placeholder --name n --output y=cond/Merge --input x=x -o OUT/m",
        "add --input is_training, or give it a value with gs set-input --set",
        [
            "add-signature savedmodel/v1_unfed_placeholder --name n --output y=cond/Merge --input x=x"
            " --input is_training -o OUT/a",
            "set-input savedmodel/v1_unfed_placeholder --set is_training=false -o OUT/b",
            "add-signature OUT/b --name n --output y=cond/Merge --input x=x -o OUT/c",
        ],
    ),
    Case(
        "add-signature OUT/old.meta --output y=MatMul --input x=x --replace -o OUT/m",
        "restores V1 checkpoints only; freeze the graph first (gs freeze), then add the signature",
        [
            "freeze OUT/old.meta --outputs MatMul --checkpoint savedmodel/v1_methods/variables/variables -o OUT/o.pb",
            "add-signature OUT/o.pb --output y=MatMul -o OUT/m",
        ],
    ),
    Case(
        "strip OUT/asset_lost.meta -o OUT/m",
        "gs convert MODEL {OUT}/ --asset vocab.txt=FILE takes it along",
        ["convert OUT/asset_lost.meta OUT/m/ --asset vocab.txt=OUT/vocab.txt --asset vocab.txt_1=OUT/vocab.txt"],
    ),
    Case(
        "set-weights graphdef/unfrozen/graph.pbtxt conv/weights=1 -o OUT/o.pb",
        "gs set-weights changes it in its checkpoint",
        ["set-weights graphdef/unfrozen/weights conv/weights=1 -o OUT/o.ckpt"],
    ),
    Case(
        "set-weights graphdef/linear.pb Softmax=1 -o OUT/o.pb",
        "is no constant; gs weights lists what can be set",
        ["weights graphdef/linear.pb", "weights graphdef/linear.pb --all"],
    ),
    Case(
        "strip graphdef/linear.pb -o OUT/x.ckpt",
        "use .pb, .meta or no suffix; gs convert writes the variables alone",
        ["strip graphdef/linear.pb -o OUT/x", "convert savedmodel/linear OUT/w.ckpt --format checkpoint"],
    ),
    Case(
        "graphdef/linear.pb",
        "to look at a model: gs show graphdef/linear.pb",
        ["show graphdef/linear.pb"],
    ),
    Case(
        "run OUT/writes.pbtxt --outputs y --feed x=zeros",
        "gs scan tells all that it could do",
        ["scan OUT/writes.pbtxt --fail-on never"],
    ),
]  # fmt: skip

TFLITE = [
    Case(
        "add-output tflite/float.tflite MatMul=w -o OUT/o.tflite",
        "MatMul is a constant; gs weights prints stored values",
        ["weights tflite/float.tflite --match MatMul --all --values MatMul"],
    ),
    Case(
        "add-signature tflite/float.tflite --name n --output y=MatMul -o OUT/o.tflite",
        "MatMul is no output of the subgraph; gs add-output makes it one",
        [
            "add-output tflite/float.tflite 'MatMul;add=extra' -o OUT/a.tflite",
            "add-signature OUT/a.tflite --name n --output y=StatefulPartitionedCall:0"
            " --output z=extra -o OUT/o.tflite",
        ],
    ),
    Case(
        "add-signature tflite/float.tflite --name n --output y=StatefulPartitionedCall:0 --input x=MatMul"
        " -o OUT/o.tflite",
        "MatMul is no input of the subgraph; choose one of gs inputs",
        [
            "inputs tflite/float.tflite",
            "add-signature tflite/float.tflite --name n --output y=StatefulPartitionedCall:0"
            " --input x=serving_default_x:0 -o OUT/o.tflite",
        ],
    ),
    Case(
        "set-weights tflite/float.tflite 'MatMul;add=1' -o OUT/o.tflite",
        "has no value that is stored; gs weights --all lists those that have",
        ["weights --all tflite/float.tflite"],
    ),
    Case(
        "set-input hostile/recursive_subgraphs.tflite --shape x=1 -o OUT/o.tflite",
        "its shapes have no end; gs check names the subgraphs",
        ["1: check hostile/recursive_subgraphs.tflite"],
    ),
    Case(
        "attach-checkpoint tflite/float.tflite checkpoint/name_based -o OUT/o",
        "a TFLite model has its weights in it; gs set-weights changes them",
        ["set-weights tflite/float.tflite MatMul=1 -o OUT/o.tflite"],
    ),
]  # fmt: skip

CHECKPOINTS = [
    Case(
        "attach-checkpoint graphdef/unfrozen/graph.pbtxt checkpoint/name_based -o OUT/m",
        "gs weights lists what it holds",
        ["weights checkpoint/name_based"],
    ),
    Case(
        "average checkpoint/name_based -o OUT/o.ckpt",
        "an average is one of several checkpoints; gs average A B -o OUT",
        ["average checkpoint/name_based checkpoint/name_based -o OUT/o.ckpt"],
    ),
    Case(
        "average checkpoint/name_based checkpoint/name_based -o OUT/o.ckpt",
        "slots of optimizers are averaged too; gs strip --only optimizers takes them out",
        ["strip OUT/o.ckpt --only optimizers -o OUT/p.ckpt"],
    ),
    Case(
        "cast checkpoint/name_based --dtype float32 -o OUT/o.ckpt",
        "there is nothing to cast to float32; gs weights lists the types",
        ["weights checkpoint/name_based"],
    ),
    Case(
        "merge checkpoint/name_based checkpoint/object_graph -o OUT/o.ckpt",
        "gs strip takes out what optimizers keep",
        ["strip checkpoint/name_based -o OUT/a.ckpt", "merge OUT/a.ckpt checkpoint/object_graph -o OUT/p.ckpt"],
    ),
    Case(
        "rename checkpoint/name_based --ema -o OUT/o.ckpt",
        "or be kept by an optimizer: gs weights lists all",
        ["weights checkpoint/name_based"],
    ),
    Case(
        "rename checkpoint/v1 --ema -o OUT/o.ckpt",
        "a V1 checkpoint can be read but not written; gs convert it first",
        ["convert checkpoint/v1 OUT/v2.ckpt"],
    ),
    Case(
        "set-weights checkpoint/v1 beta1_power=1 -o OUT/o.ckpt",
        "a V1 checkpoint can be read but not written; gs convert it first",
        ["convert checkpoint/v1 OUT/v2.ckpt", "set-weights OUT/v2.ckpt beta1_power=1 -o OUT/o.ckpt"],
    ),
    Case(
        "strip OUT/no_objects -o OUT/o.ckpt",
        "gs extract --skip-damaged saves the rest, gs check names all damage",
        ["1: check OUT/no_objects", "extract OUT/no_objects --skip-damaged -o OUT/a.ckpt", "check OUT/a.ckpt"],
    ),
    Case(
        "weights checkpoint/dtypes --export OUT/w.safetensors",
        "export to .npz, or leave it out with gs weights --match",
        [
            "weights checkpoint/dtypes --export OUT/w.npz",
            "weights checkpoint/dtypes --match dense/float32 --export OUT/w.safetensors",
        ],
    ),
    Case(
        "rename savedmodel/keras_trained --what variables optimizer/_iterations=a/b/c -o OUT/m",
        "objects of a SavedModel get other names only; gs convert --format checkpoint takes its variables",
        [
            "convert savedmodel/keras_trained OUT/w.ckpt --format checkpoint",
            "rename OUT/w.ckpt optimizer/_iterations=a/b/c -o OUT/o.ckpt",
        ],
    ),
    Case(
        "inputs checkpoint/name_based",
        "a checkpoint holds variables and no graph; gs weights lists its variables",
        ["weights checkpoint/name_based"],
    ),
    Case(
        "render checkpoint/name_based -o OUT/o.svg",
        "a checkpoint has no graph to draw; gs weights lists its variables",
        ["weights checkpoint/name_based"],
    ),
    Case(
        "check graphdef/unfrozen/graph.pbtxt --checkpoint OUT/doubles.ckpt",
        "gs cast CKPT --match 'conv/weights' --dtype float32, if that is meant",
        ["cast OUT/doubles.ckpt --match conv/weights --dtype float32 -o OUT/o.ckpt"],
    ),
    Case(
        "extract hostile/ckpt_absurd_entry --skip-damaged -o OUT/o.ckpt",
        "nothing of what is to be kept is sound; gs check --checksums names all damage",
        ["1: check --checksums hostile/ckpt_absurd_entry"],
    ),
    Case(
        "extract checkpoint/v1 --skip-damaged -o OUT/o.ckpt",
        "gs convert it first",
        ["convert checkpoint/v1 OUT/v2.ckpt", "extract OUT/v2.ckpt --skip-damaged -o OUT/o.ckpt"],
    ),
    Case(
        "average savedmodel/linear savedmodel/linear -o OUT/o.ckpt",
        "gs convert MODEL weights.ckpt --format checkpoint takes its variables",
        ["convert savedmodel/linear OUT/w.ckpt --format checkpoint", "average OUT/w.ckpt OUT/w.ckpt -o OUT/o.ckpt"],
    ),
    Case(
        "merge checkpoint/name_based savedmodel/linear -o OUT/o.ckpt",
        "gs convert MODEL weights.ckpt --format checkpoint takes its variables",
        ["convert savedmodel/linear OUT/w.ckpt --format checkpoint"],
    ),
    Case(
        "show OUT/moved",
        "gs rename OUT/moved/model.ckpt-20 --what state --in-place mends it",
        ["rename OUT/moved/model.ckpt-20 --what state --in-place", "show OUT/moved"],
    ),
]  # fmt: skip
REFUSALS = [*GRAPHS, *TFLITE, *CHECKPOINTS]

# Hints that a test elsewhere asserts and runs, with models that it makes by TensorFlow.
# Nothing that was tried leads to these texts.
NOT_TRIED = {
    "gs set-input --shape gives inputs shapes that are known": "a loop over lists whose shapes the converter asks for",
    "gs convert makes an .npz or .safetensors of it": "only an edit of the weights of a page of TensorFlow.js",
}
_FOREIGN = "lowering/test_frameworks.py::test_a_network_goes_on_to_tensorflow"
ELSEWHERE = {
    "no signature: gs add-signature {} {} --in-place adds one": (
        "surgery/test_servable.py::test_a_part_without_a_signature_is_told_the_command_that_adds_one"
    ),
    "gs convert --for {} writes a file that it loads": (
        "cli/test_other_frameworks.py::test_mending_changes_the_json_alone"
    ),
    "gs rename --ema puts the averages into the checkpoint first": (
        "oracle/test_averages.py::test_averages_in_variables_that_stay"
    ),
    "mxnet 1.9 changes it, in an environment of its own; gs convert makes it one of TensorFlow or ONNX": _FOREIGN,
    "a text editor changes the .prototxt; gs convert makes it one of TensorFlow or ONNX": _FOREIGN,
    "gs convert MODEL net.onnx makes of it what onnxruntime runs": (
        "lowering/test_frameworks.py::test_what_is_not_run_here_is_run_as_onnx"
    ),
    "read single ones, with gs weights --match": "cli/test_hints.py::test_weights_that_claim_too_much",
    "gs weights --checksum and gs diff read them block by block": "cli/test_hints.py::test_weights_that_claim_too_much",
    "{} more errors of this kind: see `gs check`": "formats/test_bundle.py::test_many_errors_are_counted",
    "gs convert MODEL OUT/ makes it a SavedModel, which can be edited; Keras changes the file": (
        "bridges/converting/test_from_keras.py::test_an_old_file_becomes_a_saved_model"
    ),
}
