"""What errors advise of files, formats and runtimes: command, advice, and the way that it tells. See `hints.Case`."""

from __future__ import annotations

from tests.cli.hints import Case

_ONNX = "hostile/foreign/model.onnx"
FILES = [
    Case(
        "verify OUT/of_one_size.onnx OUT/of_one_size.onnx",
        "the shapes leave sizes open; `gs verify --assume INPUT=SHAPE` says those that the models take",
        ["verify OUT/of_one_size.onnx OUT/of_one_size.onnx --assume x=2,3,40,50"],
        ("onnx",),
    ),
    Case(
        "show checkpoint/name_based --memory",
        "it holds weights and no graph that runs; gs weights lists them",
        ["weights checkpoint/name_based"],
    ),
    Case(
        "find graphdef/linear.pb --assume nosuch=1,4",
        "no tensor is named 'nosuch'; `gs inputs MODEL` lists the inputs",
        ["inputs graphdef/linear.pb"],
    ),
    Case(
        "verify savedmodel/linear checkpoint/v1",
        "a checkpoint has no graph to run; gs diff compares its values",
        ["diff checkpoint/v1 checkpoint/v1"],
    ),
    Case("show tflite/metadata.tflite", "what it says of itself (gs metadata)", ["metadata tflite/metadata.tflite"]),
    Case(
        "inputs OUT/empty.zip",
        "the bundle holds no model; gs show OUT/empty.zip lists what is in it",
        ["show OUT/empty.zip"],
    ),
    Case(
        "convert savedmodel/linear OUT/o.pb",
        "a GraphDef holds no variables (gs freeze makes them constants)",
        ["freeze savedmodel/linear -o OUT/f.pb"],
    ),
    Case(
        "render graphdef/linear.pb -o OUT/o.svg",
        "no signature: drawn are the likeliest outputs; `gs outputs` ranks all",
        ["outputs graphdef/linear.pb"],
    ),
    Case(
        "freeze hostile/exponential_calls.pb --outputs y -o OUT/o.pb",
        "choose outputs that need no call of 'f0', or --keep-functions for gs freeze",
        ["freeze hostile/exponential_calls.pb --outputs y --keep-functions -o OUT/o.pb"],
    ),
    Case(
        "freeze OUT/leads_nowhere.pbtxt --outputs z -o OUT/o.pb",
        "the main graph refers to 'gone', which is not there; gs check lists such references",
        ["1: check OUT/leads_nowhere.pbtxt"],
    ),
    Case(
        "extract savedmodel/v1_shared_names --outputs y -o OUT/m",
        "is set when the model is loaded, not from the checkpoint; gs freeze makes a constant of it",
        ["freeze savedmodel/v1_shared_names --outputs y -o OUT/o.pb"],
    ),
    Case(
        "add-signature savedmodel/keras_export --past-parser --output y=functional_1/pool_1/Mean -o OUT/m",
        "gs add-output MODEL functional_1/pool_1/Mean:0=NAME -o OUT carries it out first",
        ["add-output savedmodel/keras_export functional_1/pool_1/Mean=pooled -o OUT/m"],
    ),
    Case(
        "join tflite/variables.tflite tflite/float.tflite --signature read -o OUT/o.tflite",
        "gs extract --signature read makes a model of it",
        [
            "extract tflite/variables.tflite --signature read -o OUT/a.tflite",
            "join OUT/a.tflite tflite/float.tflite -o OUT/o.tflite",
        ],
    ),
    Case(
        "join OUT/int8_out.tflite OUT/int8_in.tflite --connect y=x -o OUT/o.tflite",
        "gs set-output and gs set-input make both float32",
        [
            "set-output OUT/int8_out.tflite --dtype y=float32 -o OUT/a.tflite",
            "set-input OUT/int8_in.tflite --dtype x=float32 -o OUT/b.tflite",
            "join OUT/a.tflite OUT/b.tflite --connect y=x -o OUT/o.tflite",
        ],
    ),
    Case(
        "apply OUT/steps.txt graphdef/linear.pb -o OUT/o.pb",
        "where the result goes does not belong into a recipe; say it to gs apply",
        ["apply OUT/good_steps.txt graphdef/linear.pb -o OUT/o.pb"],
    ),
    Case(
        "convert OUT/other_types.safetensors OUT/o.ckpt",
        "gs cast gives it another type, --match leaves it out",
        ["cast OUT/other_types.safetensors --dtype float32 --match a -o OUT/o.ckpt"],
    ),
    Case(
        f"strip {_ONNX} -o OUT/m",
        "change it with onnx-graphsurgeon, or make it one of TensorFlow first: gs convert MODEL.onnx OUT/"
        .replace("OUT/", "{OUT}/"),
        [f"convert {_ONNX} OUT/m"],
    ),
    Case(
        f"convert {_ONNX} OUT/x.foo",
        "gs convert MODEL.onnx {OUT}/",
        [f"convert {_ONNX} OUT/m"],
    ),
    Case(
        "convert tflite/float.tflite OUT/o.onnx --outputs x",
        "of a TFLite model the whole is converted; gs extract and gs set-input make a .tflite of the part first",
        [
            "extract tflite/float.tflite --outputs 'MatMul;add' -o OUT/a.tflite",
            "set-input OUT/a.tflite --shape serving_default_x:0=2,4 -o OUT/b.tflite",
        ],
        ("onnx",),
    ),
    Case(
        "convert graphdef/custom_op.pbtxt OUT/o.onnx",
        "gs replace puts others in their place, --outputs leaves them out",
        ["replace graphdef/custom_op.pbtxt \"'TFLite_Detection_PostProcess'(x, ...) => Relu(x)\" -o OUT/o.pb"],
        ("onnx",),
    ),
    Case(
        "merge checkpoint/object_graph OUT/no_objects -o OUT/o.ckpt",
        "gs extract --skip-damaged makes one of the paths in the keys",
        ["extract OUT/no_objects --skip-damaged -o OUT/a.ckpt"],
    ),
    Case(
        "merge checkpoint/object_graph OUT/keys.npz -o OUT/o.ckpt",
        "gs convert MODEL weights.ckpt makes one of the paths in the names",
        ["convert OUT/keys.npz OUT/weights.ckpt"],
    ),
    Case(
        "add-signature OUT/parser_switch.pbtxt --past-parser --output y=y -o OUT/m",
        "lies between the parsed features and the outputs; name outputs before it",
        ["add-signature OUT/parser_switch.pbtxt --past-parser --output y=features -o OUT/m"],
    ),
    Case(
        "convert hostile/foreign/keras.h5 OUT/m --outputs a",
        "--outputs is not for Keras files; gs extract cuts the SavedModel that comes of it",
        ["extract savedmodel/keras_export --outputs probs -o OUT/m"],
    ),
    Case(
        "set-input OUT/one_example.tflite --shape x=2,4 -o OUT/o.tflite",
        "its kernel refuses any other batch; cut the model before it: gs extract MODEL --outputs ...",
        ["extract OUT/one_example.tflite --outputs '#3' -o OUT/o.tflite"],
        ("litert",),
    ),
    Case(
        "add-output graphdef/linear.pb --outputs Softmax=p -o OUT/o.pb",
        "without an option: gs add-output MODEL TENSOR=NAME",
        ["add-output graphdef/linear.pb Softmax=p -o OUT/o.pb"],
    ),
    Case(
        "rename graphdef/linear.pb --from Softmax -o OUT/o.pb",
        "without an option: gs rename MODEL OLD=NEW",
        ["rename graphdef/linear.pb Softmax=p -o OUT/o.pb"],
    ),
    Case(
        "apply graphdef/linear.pb OUT/good_steps.txt -o OUT/o.pb",
        "gs apply RECIPE MODEL: the recipe comes first",
        ["apply OUT/good_steps.txt graphdef/linear.pb -o OUT/o.pb"],
    ),
]  # fmt: skip
