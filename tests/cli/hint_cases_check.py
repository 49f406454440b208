"""What `gs check` finds and advises: command, advice, and the way that it tells. See `hints.Case`."""

from __future__ import annotations

from tests.cli.hints import Case

_ADD = "--output output_0=StatefulPartitionedCall"
CHECKS = [
    Case(
        "check OUT/engine.pbtxt",
        "gs strip --only trt does without",
        ["strip OUT/engine.pbtxt --only trt --outputs y -o OUT/o.pb", "check OUT/o.pb"],
    ),
    Case(
        "check OUT/no_key.tflite",
        "gs remove-signature",
        ["remove-signature OUT/no_key.tflite '' -o OUT/o.tflite", "check OUT/o.tflite"],
    ),
    Case(
        "check OUT/no_outputs.tflite",
        "its subgraph has no outputs; gs add-output makes some",
        ["add-output OUT/no_outputs.tflite StatefulPartitionedCall:0 -o OUT/o.tflite", "check OUT/o.tflite"],
        ("litert",),
    ),
    Case(
        "check OUT/inner_output.tflite",
        "gs add-output makes it one",
        ["add-output OUT/inner_output.tflite 'MatMul;add' -o OUT/o.tflite", "check OUT/o.tflite"],
    ),
    Case(
        "check OUT/no_text.tflite",
        "its name is no UTF-8; gs rename gives it another name",
        ["rename OUT/no_text.tflite '#0=x' -o OUT/o.tflite", "check OUT/o.tflite"],
    ),
    Case(
        "check OUT/wrong_shapes.pbtxt",
        "gs strip --only recorded-shapes takes recorded shapes out; else the input is not what the op wants",
        ["strip OUT/wrong_shapes.pbtxt --only recorded-shapes -o OUT/o.pb", "check OUT/o.pb"],
    ),
    Case(
        "check OUT/left_open",
        "gs strip --only recorded-shapes takes it out",
        ["strip OUT/left_open --only recorded-shapes -o OUT/m", "check OUT/m"],
    ),
    Case(
        "check OUT/colocated.pbtxt",
        "which the graph does not have; gs strip takes such hints out",
        ["strip OUT/colocated.pbtxt -o OUT/o.pb", "check OUT/o.pb"],
    ),
    Case(
        "check OUT/no_class.pbtxt",
        "its kind is list(string); gs strip takes such hints out",
        ["strip OUT/no_class.pbtxt -o OUT/o.pb", "check OUT/o.pb"],
    ),
    Case(
        "check OUT/device.pbtxt",
        "gs strip --only devices takes it out",
        ["strip OUT/device.pbtxt --only devices -o OUT/o.pb", "check OUT/o.pb"],
    ),
    Case(
        "check OUT/op_function.pbtxt",
        "gs rename --what functions",
        ["rename OUT/op_function.pbtxt --what functions Elu=elu -o OUT/o.pb", "check OUT/o.pb"],
    ),
    Case(
        "check OUT/bad_name.pbtxt",
        "gs rename --graph",
        ["rename OUT/bad_name.pbtxt --graph f -o OUT/o.pb -- -r=r", "check OUT/o.pb"],
    ),
    Case(
        "check OUT/const_written.pbtxt",
        "a variable became a constant here: gs strip takes the write out, where nothing needs it",
        ["strip OUT/const_written.pbtxt -o OUT/o.pb", "check OUT/o.pb"],
    ),
    Case(
        "check OUT/const_switched.pbtxt",
        "gs set-input --set train=false takes the training branch out, where a variable became a constant",
        ["set-input OUT/const_switched.pbtxt --set train=false -o OUT/o.pb", "check OUT/o.pb"],
    ),
    Case(
        "check OUT/table_file.pbtxt",
        "gs add-signature MODEL --output KEY=TENSOR --asset vocab.txt=FILE -o {OUT}/ carries it along",
        ["add-signature OUT/table_file.pbtxt --output y=y --asset vocab.txt=OUT/vocab.txt -o OUT/m/", "check OUT/m"],
    ),
    Case(
        "check OUT/garbage",
        "its bytes are not what the collection holds; gs strip takes the collection variables out",
        ["strip OUT/garbage -o OUT/m", "check OUT/m"],
    ),
    Case(
        "check OUT/no_init",
        "loaders take exactly one to run on load; gs strip takes the collection saved_model_main_op out",
        ["strip OUT/no_init -o OUT/m"],
    ),
    Case(
        "check OUT/dangling",
        "a tensor that the graph does not have; gs strip takes the collection hints out",
        ["strip OUT/dangling -o OUT/m", "check OUT/m"],
    ),
    Case(
        "check OUT/no_saver_name",
        "session-style loaders need it to restore the variables; gs strip --only savers takes it out",
        ["strip OUT/no_saver_name --only savers -o OUT/m", "check OUT/m"],
    ),
    Case(
        "check OUT/no_tags",
        "gs rename --what tags none=serve",
        ["rename OUT/no_tags --what tags none=serve -o OUT/m", "check OUT/m"],
    ),
    Case(
        "check OUT/twice",
        "loaders take the first; gs rename --what tags gives it others",
        ["rename OUT/twice --what tags serve=other -o OUT/m", "check OUT/m"],
    ),
    Case(
        "check OUT/other_key",
        "tf.saved_model.load does not show it; gs add-signature adds it to both",
        [f"add-signature OUT/other_key --name another {_ADD} --replace -o OUT/m", "check OUT/m"],
    ),
    Case(
        "check OUT/one_key_less",
        "session-style loaders do not show it; gs add-signature adds it to both",
        [f"add-signature OUT/one_key_less --name serving_default {_ADD} -o OUT/m", "check OUT/m"],
    ),
    Case(
        "check OUT/other_input",
        "gs rename --what keys changes both",
        ["rename OUT/other_input --what keys serving_default.other=x -o OUT/m", "check OUT/m"],
    ),
    Case(
        "check OUT/one_output_more",
        "gs add-signature makes both anew",
        [f"add-signature OUT/one_output_more --name serving_default {_ADD} --replace -o OUT/m", "check OUT/m"],
    ),
    Case(
        "check savedmodel/v1_missing_entries",
        "gs remove-signature MODEL broken -o OUT takes it out",
        ["remove-signature savedmodel/v1_missing_entries broken -o OUT/m", "check OUT/m"],
    ),
    Case(
        "check OUT/unsaved",
        "gs freeze makes constants of them, and gs add-signature makes a model of that",
        [
            "freeze OUT/unsaved --signature serving_default -o OUT/f.pb",
            "add-signature OUT/f.pb --input x=x --output output_0=output_0 -o OUT/m",
            "check OUT/m",
        ],
    ),
    Case(
        "check savedmodel/v1_unfed_placeholder",
        "gs add-signature --replace with that input, or gs set-input --set gives it a value",
        [
            "set-input savedmodel/v1_unfed_placeholder --set is_training=false -o OUT/a",
            "check OUT/a",
            "add-signature savedmodel/v1_unfed_placeholder --replace --name serving_default --input x=x"
            " --input is_training=is_training --output y=y -o OUT/b",
            "check OUT/b",
        ],
    ),
    Case(
        "check OUT/moved",
        "gs rename OUT/moved/model.ckpt-20 --what state --in-place mends it",
        ["rename OUT/moved/model.ckpt-20 --what state --in-place", "check OUT/moved"],
    ),
    Case(
        "check OUT/renamed_key",
        "if it is the same one: gs rename OUT/renamed_key/variables/variables other=w --in-place",
        ["rename OUT/renamed_key/variables/variables other=w --in-place", "check OUT/renamed_key"],
    ),
    Case(
        "check OUT/keyword",
        "gs rename --what keys gives it another name",
        ["rename OUT/keyword --what keys serving_default.in=z -o OUT/m", "check OUT/m"],
    ),
    Case(
        "check graphdef/linear.pb --serving",
        "gs add-signature --serving-dir DIR makes one",
        ["add-signature graphdef/linear.pb --output y=Identity --serving-dir OUT/s", "check OUT/s/1 --serving"],
    ),
    Case(
        "check OUT/other_tags --serving",
        "gs rename --what tags OLD=serve, or start the server with --saved_model_tags",
        ["rename OUT/other_tags --what tags gpu=serve -o OUT/s/1", "check OUT/s/1 --serving"],
    ),
    Case(
        "check OUT/unsigned --serving",
        "gs add-signature adds one",
        ["add-signature OUT/unsigned --output y=MatMul --input x=add --serving-dir OUT/s", "check OUT/s/1 --serving"],
    ),
    Case(
        "check OUT/no_method --serving",
        "gs add-signature --replace writes it anew",
        ["add-signature OUT/no_method --name predict --output logits=MatMul --input x=x --replace -o OUT/m"],
    ),
    Case(
        "check OUT/unmatched",
        "take the checkpoint that belongs to the graph, or rename what it has with gs rename",
        ["rename OUT/unmatched/variables/variables v=w --in-place", "check OUT/unmatched"],
    ),
    Case(
        "check OUT/unused",
        "of its entries are not restored by the graph: other; gs strip takes them out",
        ["strip OUT/unused -o OUT/m", "check OUT/m"],
    ),
    Case(
        "check graphdef/linear.pb",
        "whether a loader runs it (gs run)",
        ["run graphdef/linear.pb --outputs Identity"],
        ("tensorflow",),
    ),
    Case(
        "show OUT/no_method --request --signature predict",
        "gs check --serving says more",
        ["1: check OUT/no_method --serving"],
    ),
]
