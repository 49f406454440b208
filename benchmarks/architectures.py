"""Architectures that people have, with random weights, as SavedModels and frozen GraphDefs.

Keras Applications come at an input size that may vary where they allow it; the others are small, but have the parts
of their kind: attention, recurrence, boxes and their suppression, generators, speech front ends, text.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Builder = Callable[[], tuple[Any, list[Any]]]  # a function to export, and what it takes

APPLICATIONS = {
    "ResNet50": 224, "ResNet50V2": None, "MobileNet": None, "MobileNetV2": 224, "MobileNetV3Small": None,
    "EfficientNetB0": 224, "EfficientNetV2B0": None, "DenseNet121": None, "InceptionV3": None, "Xception": None,
    "VGG16": None, "NASNetMobile": 224, "ConvNeXtTiny": 224, "InceptionResNetV2": None,
}  # the side of its images, None for any  # fmt: skip


def build_all(folder: Path, only: list[str] | None = None) -> Iterator[Path]:
    """Build every architecture that is not there yet; yield the SavedModel and the frozen graph of each."""
    builders = {name: application(name, side) for name, side in APPLICATIONS.items()} | OTHERS
    for name, builder in builders.items():
        if only and name not in only:
            continue
        saved, frozen = folder / name, folder / f"{name}.pb"
        if not frozen.exists():
            shutil.rmtree(saved, ignore_errors=True)
            write(builder, saved, frozen)
        yield from (saved, frozen)


def write(builder: Builder, saved: Path, frozen: Path) -> None:
    """Export what a builder makes, and freeze it as TensorFlow does."""
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    keras.backend.clear_session()
    model, specs = builder()
    function = tf.function(model, input_signature=specs)
    module = tf.Module()
    module.model, module.serve = model, function
    tf.saved_model.save(module, str(saved), signatures=function.get_concrete_function())
    constant = convert_variables_to_constants_v2(function.get_concrete_function())
    frozen.write_bytes(constant.graph.as_graph_def().SerializeToString())


def application(name: str, side: int | None) -> Builder:
    """Return what builds a Keras Application for images of one size, or of any."""

    def build() -> tuple[Any, list[Any]]:
        import keras

        top = {"classes": 10} if side else {"include_top": False, "pooling": "avg"}
        shape = (side, side, 3)
        model = getattr(keras.applications, name)(weights=None, input_shape=shape, **top)
        return called(model), [spec(None, *shape)]

    return build


def called(model: Any) -> Any:
    """Return what calls a Keras model for inference."""
    import tensorflow as tf

    class Inference(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.variables_of_model = model.variables

        def __call__(self, *inputs: Any) -> Any:
            return model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)

    return Inference()


def spec(*dims: int | None, dtype: str = "float32") -> Any:
    """Return an input of a shape."""
    import tensorflow as tf

    return tf.TensorSpec(dims, dtype)


def transformer_encoder() -> tuple[Any, list[Any]]:
    """BERT-like: token and position embeddings, masked self-attention, pooler."""
    import keras
    from keras import layers, ops

    tokens, mask = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    x = layers.Embedding(100, 32)(tokens)
    positions = ops.cumsum(ops.ones_like(tokens), 1) - 1
    x = layers.LayerNormalization()(x + layers.Embedding(64, 32)(positions))
    for _ in range(2):
        attended = layers.MultiHeadAttention(4, 8)(x, x, attention_mask=ops.expand_dims(ops.cast(mask, "bool"), 1))
        x = layers.LayerNormalization()(x + attended)
        x = layers.LayerNormalization()(x + layers.Dense(32)(layers.Dense(64, activation="gelu")(x)))
    pooled = layers.Dense(32, activation="tanh")(x[:, 0])
    model = keras.Model([tokens, mask], [x, pooled])
    return called(model), [spec(None, None, dtype="int32")] * 2


def transformer_decoder() -> tuple[Any, list[Any]]:
    """GPT-like: causal and grouped-query attention with a vocabulary head tied to the embedding."""
    import keras
    from keras import layers, ops

    tokens = keras.Input((None,), dtype="int32")
    embedding = layers.Embedding(100, 32)
    x = embedding(tokens)
    for _ in range(2):
        x = x + layers.GroupQueryAttention(8, 4, 2)(layers.LayerNormalization()(x), x, use_causal_mask=True)
        x = x + layers.Dense(32)(ops.silu(layers.Dense(64)(x)))
    model = keras.Model(tokens, ops.matmul(x, ops.transpose(embedding.embeddings)))
    return called(model), [spec(None, None, dtype="int32")]


def vision_transformer() -> tuple[Any, list[Any]]:
    """ViT: patches, class token, encoder blocks."""
    import keras
    from keras import layers, ops

    image = keras.Input((64, 64, 3))
    x = layers.Reshape((-1, 32))(layers.Conv2D(32, 16, 16)(image))
    x = ops.concatenate([ops.zeros_like(x[:, :1]), x], axis=1)
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(4, 8)(y, y)
        x = x + layers.Dense(32)(layers.Dense(64, activation="gelu")(layers.LayerNormalization()(x)))
    return called(keras.Model(image, layers.Dense(10)(x[:, 0]))), [spec(None, 64, 64, 3)]


def recurrent() -> tuple[Any, list[Any]]:
    """Speech-like: convolutions, bidirectional LSTM, GRU with states, CTC decoding."""
    import keras
    import tensorflow as tf
    from keras import layers

    audio = keras.Input((None, 20))
    x = layers.Conv1D(16, 3, 2, padding="same", activation="relu")(audio)
    x = layers.Bidirectional(layers.LSTM(8, return_sequences=True))(x)
    x, state = layers.GRU(8, return_sequences=True, return_state=True)(x)
    model = keras.Model(audio, [layers.Dense(12, activation="softmax")(x), state])
    inner = called(model)

    class Decoded(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def __call__(self, batch: Any) -> Any:
            scores, last = self.inner(batch)
            lengths = tf.fill([tf.shape(scores)[0]], tf.shape(scores)[1])
            decoded, log = tf.nn.ctc_greedy_decoder(tf.transpose(scores, [1, 0, 2]), lengths)
            return tf.sparse.to_dense(decoded[0]), log, last

    return Decoded(), [spec(None, None, 20)]


def sequence_to_sequence() -> tuple[Any, list[Any]]:
    """LSTM encoder and attending decoder that feeds itself for twelve steps."""
    import tensorflow as tf
    from keras import layers

    embedding, encoder = layers.Embedding(50, 16), layers.LSTM(16, return_sequences=True, return_state=True)
    cell, head, attention = layers.LSTMCell(16), layers.Dense(50), layers.AdditiveAttention()

    class Translator(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = [embedding, encoder, cell, head, attention]

        def __call__(self, tokens: Any) -> Any:
            memory, *state = encoder(embedding(tokens))
            batch = tf.shape(tokens)[0]
            written = tf.TensorArray(tf.int32, 12, element_shape=[None])

            def step(i: Any, token: Any, state: Any, written: Any) -> Any:
                out, state = cell(embedding(token), state)
                context = attention([tf.expand_dims(out, 1), memory])[:, 0]
                token = tf.argmax(head(tf.concat([out, context], -1)), -1, output_type=tf.int32)
                return i + 1, token, state, written.write(i, token)

            first = (0, tf.zeros([batch], tf.int32), list(state), written)
            return tf.transpose(tf.while_loop(lambda i, *_: i < 12, step, first)[-1].stack())

    def build() -> Any:
        translator = Translator()
        translator(tf.zeros([1, 3], tf.int32))
        return translator

    return build(), [spec(None, None, dtype="int32")]


def detector() -> tuple[Any, list[Any]]:
    """SSD-like: feature pyramid, anchors, box decoding, suppression per class."""
    import keras
    import tensorflow as tf
    from keras import layers

    image = keras.Input((128, 128, 3))
    levels, x = [], image
    for filters in (8, 16, 32, 32):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(filters, 3, 2, padding="same")(x)))
        levels.append(x)
    merged = [layers.UpSampling2D()(levels[3]) + layers.Conv2D(32, 1)(levels[2]), levels[3]]
    boxes = [layers.Reshape((-1, 4))(layers.Conv2D(12, 3, padding="same")(level)) for level in merged]
    scores = [layers.Reshape((-1, 5))(layers.Conv2D(15, 3, padding="same")(level)) for level in merged]
    model = keras.Model(image, [layers.Concatenate(1)(boxes), layers.Concatenate(1)(scores)])
    inner = called(model)

    class Detector(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def __call__(self, pixels: Any) -> Any:
            scaled = tf.image.resize(tf.cast(pixels, tf.float32) / 255.0, [128, 128])
            boxes, scores = self.inner(scaled)
            centers, sizes = tf.split(boxes, 2, -1)
            corners = tf.concat([centers - tf.exp(sizes) / 2, centers + tf.exp(sizes) / 2], -1)
            found = tf.image.combined_non_max_suppression(corners[:, :, None], tf.sigmoid(scores), 10, 20)
            keep = tf.image.non_max_suppression(corners[0], scores[0, :, 0], 10)
            crops = tf.image.crop_and_resize(scaled, tf.gather(corners[0], keep), tf.zeros_like(keep), [7, 7])
            return (*found, crops)

    return Detector(), [spec(None, None, None, 3, dtype="uint8")]


def segmentation() -> tuple[Any, list[Any]]:
    """U-Net with dilated convolutions and transposed ones, at any size."""
    import keras
    from keras import layers

    image = keras.Input((None, None, 3))
    skips, x = [], image
    for filters in (8, 16):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(16, 3, padding="same", dilation_rate=2, activation="relu")(x)
    x = layers.SeparableConv2D(16, 3, padding="same", dilation_rate=4)(x)
    for skip in reversed(skips):
        x = layers.Concatenate()([layers.Conv2DTranspose(8, 3, 2, padding="same")(x), skip])
    x = layers.Conv2D(4, 1, activation="softmax")(layers.GroupNormalization(4)(x))
    return called(keras.Model(image, x)), [spec(None, None, None, 3)]


def generator() -> tuple[Any, list[Any]]:
    """DCGAN-like generator behind the sampling of a variational autoencoder."""
    import keras
    from keras import layers, ops

    image, noise = keras.Input((32, 32, 1)), keras.Input((8,))
    x = layers.Flatten()(layers.Conv2D(8, 3, 2, activation="leaky_relu")(image))
    z = layers.Dense(8)(x) + ops.exp(layers.Dense(8)(x) * 0.5) * noise
    y = layers.Reshape((8, 8, 4))(layers.Dense(256)(z))
    for filters in (8, 4):
        y = layers.LeakyReLU()(layers.BatchNormalization()(layers.Conv2DTranspose(filters, 4, 2, padding="same")(y)))
    y = layers.Conv2D(1, 3, padding="same", activation="tanh")(y)
    return called(keras.Model([image, noise], [y, z])), [spec(None, 32, 32, 1), spec(None, 8)]


def audio_front_end() -> tuple[Any, list[Any]]:
    """Keyword spotting from samples: frames, STFT, mel filter bank, depthwise convolutions."""
    import keras
    import tensorflow as tf
    from keras import layers

    spectrogram = keras.Input((None, 40, 1))
    x = layers.DepthwiseConv2D(3, padding="same")(layers.Conv2D(8, (10, 4), 2, padding="same")(spectrogram))
    inner = called(keras.Model(spectrogram, layers.Dense(12)(layers.GlobalAveragePooling2D()(x))))

    class Spotter(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def __call__(self, samples: Any) -> Any:
            frames = tf.abs(tf.signal.stft(samples, 640, 320, pad_end=True))
            mel = tf.tensordot(frames, tf.signal.linear_to_mel_weight_matrix(40, 513, 16000), 1)
            mfcc = tf.signal.mfccs_from_log_mel_spectrograms(tf.math.log(mel + 1e-6))
            return tf.nn.softmax(self.inner(mfcc[..., None]))

    return Spotter(), [spec(None, None)]


def video() -> tuple[Any, list[Any]]:
    """Three-dimensional convolutions and ConvLSTM."""
    import keras
    from keras import layers

    clip = keras.Input((None, 32, 32, 3))
    x = layers.Conv3D(4, 3, (1, 2, 2), padding="same", activation="relu")(clip)
    x = layers.ConvLSTM2D(4, 3, padding="same")(layers.MaxPooling3D((1, 2, 2))(x))
    return called(keras.Model(clip, layers.Dense(5)(layers.Flatten()(x)))), [spec(None, None, 32, 32, 3)]


def text_and_features() -> tuple[Any, list[Any]]:
    """Wide and deep: strings split and looked up, ragged means, crosses, dense numbers."""
    import tensorflow as tf
    from keras import layers

    table = tf.lookup.StaticVocabularyTable(
        tf.lookup.KeyValueTensorInitializer(["a", "b", "c"], tf.range(3, dtype=tf.int64)), 2
    )
    embedding, deep = layers.Embedding(5, 8), layers.Dense(4)
    embedding.build(None)
    deep.build((None, 13))

    class Ranker(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = [table, embedding, deep]

        def __call__(self, text: Any, numbers: Any) -> Any:
            words = tf.strings.split(tf.strings.regex_replace(tf.strings.lower(text), "[^a-z ]", ""))
            ids = tf.ragged.map_flat_values(table.lookup, words)
            means = tf.reduce_mean(tf.ragged.map_flat_values(embedding, ids), 1)
            crossed = tf.strings.to_hash_bucket_fast(tf.strings.join([text, tf.strings.as_string(numbers[:, 0])]), 2)
            x = tf.concat([tf.ensure_shape(means, [None, 8]), numbers, tf.one_hot(crossed, 2)], 1)
            scores = tf.nn.sigmoid(deep(x))
            return scores, *tf.math.top_k(scores, 2), ids.to_tensor()

    return Ranker(), [spec(None, dtype="string"), spec(None, 3)]


OTHERS: dict[str, Builder] = {
    "transformer encoder": transformer_encoder,
    "transformer decoder": transformer_decoder,
    "vision transformer": vision_transformer,
    "recurrent": recurrent,
    "sequence to sequence": sequence_to_sequence,
    "detector": detector,
    "segmentation": segmentation,
    "generator": generator,
    "audio": audio_front_end,
    "video": video,
    "text and features": text_and_features,
}
