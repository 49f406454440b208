"""Write small Keras models, one of nearly every layer, with inputs and what the model makes of them.

    python tools/keras_zoo.py keras|tf_keras FOLDER

Run by `keras_answers.py` in two environments: one with Keras 3, one with tf_keras, which is Keras 2.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

# Layer -> its arguments; each between an input of the shape above and the output.
IMAGE: dict[str, tuple[Any, ...]] = {
    "Conv2D": (4, 3), "Conv2DTranspose": (4, 3), "SeparableConv2D": (4, 3), "DepthwiseConv2D": (3,),
    "MaxPooling2D": (), "AveragePooling2D": (2,), "GlobalAveragePooling2D": (), "GlobalMaxPooling2D": (),
    "BatchNormalization": (), "LayerNormalization": (), "GroupNormalization": (2,), "ZeroPadding2D": (),
    "Cropping2D": (), "UpSampling2D": (), "SpatialDropout2D": (0.1,), "Flatten": (), "PReLU": (), "LeakyReLU": (),
    "ELU": (), "ReLU": (), "Softmax": (), "Activation": ("relu",), "Dropout": (0.1,), "GaussianNoise": (0.1,),
    "GaussianDropout": (0.1,), "AlphaDropout": (0.1,), "Permute": ((2, 1, 3),), "Reshape": ((-1, 4),),
    "UnitNormalization": (), "Rescaling": (2.0,), "RandomFlip": (), "RandomRotation": (0.1,), "RandomZoom": (0.1,),
    "RandomContrast": (0.1,), "CenterCrop": (4, 4), "Resizing": (4, 4),
}  # fmt: skip
SERIES: dict[str, tuple[Any, ...]] = {
    "LSTM": (3,), "GRU": (3,), "SimpleRNN": (3,), "Conv1D": (4, 3), "Conv1DTranspose": (4, 3),
    "SeparableConv1D": (4, 3), "DepthwiseConv1D": (3,), "MaxPooling1D": (), "AveragePooling1D": (2,),
    "GlobalMaxPooling1D": (), "GlobalAveragePooling1D": (), "ZeroPadding1D": (), "Cropping1D": (),
    "UpSampling1D": (), "SpatialDropout1D": (0.1,), "Masking": (), "LocallyConnected1D": (2, 3),
}  # fmt: skip
VECTOR: dict[str, tuple[Any, ...]] = {
    "Dense": (3, "relu"), "Embedding": (10, 3), "RepeatVector": (3,), "ActivityRegularization": (0.1,),
    "ThresholdedReLU": (0.5,),
}  # fmt: skip
MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")
COMPILED = ("Conv2D", "Dense", "LSTM", "Nested", "Sequential")  # saved with optimizer, loss and metrics


def main(package: str, folder: Path) -> None:
    """Write every model that the package can make."""
    keras = importlib.import_module(package)
    for name, make in models(keras, is_3=package == "keras").items():
        keras.utils.set_random_seed(1)
        try:
            model = make()
        except (AttributeError, TypeError, ValueError) as error:
            print(f"{package} makes no {name}: {error}")
            continue
        numbers = np.random.default_rng(0)
        inputs = [numbers.integers(0, 5, [2, *value.shape[1:]]).astype("float32") for value in model.inputs]
        outputs = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
        model.compile("adam", "mse", metrics=["mae"])
        model.save(folder / f"{name}.h5", include_optimizer=name in COMPILED)
        listed = outputs if isinstance(outputs, list) else [outputs]
        arrays: dict[str, Any] = {f"x{number}": value for number, value in enumerate(inputs)}
        arrays |= {f"y{number}": value for number, value in enumerate(listed)}
        np.savez(folder / f"{name}.npz", **arrays)


def models(keras: Any, *, is_3: bool) -> dict[str, Callable[[], Any]]:
    """Return what makes each model."""
    layers = keras.layers

    def over(shapes: list[tuple[int, ...]], body: Callable[..., Any]) -> Callable[[], Any]:
        def make() -> Any:
            inputs = [keras.Input(shape) for shape in shapes]
            return keras.Model(inputs if len(inputs) > 1 else inputs[0], body(*inputs))

        return make

    def one(name: str, arguments: tuple[Any, ...]) -> Callable[[Any], Any]:
        return lambda x: getattr(layers, name)(*arguments)(x)

    found = {name: over([(8, 8, 4)], one(name, arguments)) for name, arguments in IMAGE.items()}
    found |= {name: over([(6, 5)], one(name, arguments)) for name, arguments in SERIES.items()}
    found |= {name: over([(6,)], one(name, arguments)) for name, arguments in VECTOR.items()}
    for name in MERGES:
        found[name] = over([(6,), (6,)], lambda x, y, name=name: getattr(layers, name)()([x, y]))
    policy = keras.DTypePolicy if is_3 else keras.mixed_precision.Policy

    def twice(x: Any) -> Any:
        inner = over([(6,)], layers.Dense(4))()
        return layers.Add()([inner(x), inner(layers.Dense(6)(x))])

    def translate(cell: str) -> Callable[[Any, Any], Any]:
        def body(x: Any, y: Any) -> Any:
            _, *states = getattr(layers, cell)(4, return_state=True)(x)
            return layers.Dense(2)(getattr(layers, cell)(4, return_sequences=True)(y, initial_state=states))

        return body

    def chain(shape: tuple[int, ...], *parts: Any) -> Callable[[], Any]:
        return lambda: keras.Sequential([keras.Input(shape), *(part() for part in parts)])

    def again(x: Any) -> Any:
        shared = layers.Dense(6)
        return shared(shared(x))

    small = chain((5,), lambda: layers.Dense(2))
    return found | {
        "Dot": over([(6,), (6,)], lambda x, y: layers.Dot(1)([x, y])),
        "Conv3D": over([(4, 4, 4, 2)], lambda x: layers.Conv3D(2, 2)(x)),
        "Conv3DTranspose": over([(4, 4, 4, 2)], lambda x: layers.Conv3DTranspose(2, 2)(x)),
        "ConvLSTM2D": over([(3, 8, 8, 2)], lambda x: layers.ConvLSTM2D(2, 3)(x)),
        "Bidirectional": over([(6, 5)], lambda x: layers.Bidirectional(layers.LSTM(3))(x)),
        "BidirectionalGRU": over([(6, 5)], lambda x: layers.Bidirectional(layers.GRU(3, return_sequences=True))(x)),
        "Cell": over([(6, 5)], lambda x: layers.RNN(layers.LSTMCell(3))(x)),
        "StackedCells": over([(6, 5)], lambda x: layers.RNN([layers.GRUCell(3), layers.LSTMCell(2)])(x)),
        "TimeDistributed": over([(6, 5)], lambda x: layers.TimeDistributed(layers.Dense(2))(x)),
        "TimeDistributedModel": over([(6, 5)], lambda x: layers.TimeDistributed(small())(x)),
        "MultiHeadAttention": over([(6, 5)], lambda x: layers.MultiHeadAttention(2, 3)(x, x)),
        "CrossAttention": over([(5, 3), (4, 3)], lambda x, y: layers.MultiHeadAttention(2, 3)(x, y, y)),
        "Attention": over([(6, 5)], lambda x: layers.Attention()([x, x])),
        "AdditiveAttention": over([(6, 5)], lambda x: layers.AdditiveAttention()([x, x])),
        "Translate": over([(5, 3), (5, 3)], translate("LSTM")),
        "TranslateGRU": over([(5, 3), (5, 3)], translate("GRU")),
        "Nested": over([(6,)], twice),
        "NestedTwice": over([(6,)], lambda x: layers.Dense(2)(over([(6,)], twice)()(x))),
        "NestedSequential": over([(6,)], lambda x: chain((6,), lambda: layers.Dense(3))()(x)),
        "Shared": over([(6,)], again),
        "Outputs": over([(6,)], lambda x: [layers.Dense(2)(x), layers.Dense(3)(x)]),
        "Sequential": chain((8, 8, 4), lambda: layers.Conv2D(3, 3), layers.Flatten, lambda: layers.Dense(2)),
        "SequentialLSTM": chain((6, 5), lambda: layers.LSTM(3)),
        "SequentialEmbedding": chain((6,), lambda: layers.Embedding(10, 3), layers.Flatten, lambda: layers.Dense(2)),
        "Half": over([(6,)], lambda x: layers.Dense(3, dtype="float16")(x)),
        "Mixed": over([(6,)], lambda x: layers.Dense(3, dtype=policy("mixed_float16"))(x)),
        "HardSigmoid": over([(6,)], lambda x: layers.Dense(3, activation="hard_sigmoid")(x)),
        "Arithmetic": over([(6,)], lambda x: layers.Dense(2)(x * 2.0 + 1.0)),
        "Slice": over([(6,)], lambda x: layers.Dense(2)(x[:, 1:4])),
        "Lambda": over([(6,)], lambda x: layers.Lambda(lambda y: y * 2)(x)),
    }


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
