"""Networks of sequences, for `torch_exports.py`: recurrent ones, and those of the transformers package."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch_network import Called, Network, image


def networks() -> Iterator[Network]:
    """Yield the networks of this file."""
    yield from _recurrent()
    yield from _transformers()
    yield from _texts()


def _recurrent() -> Iterator[Network]:
    for kind in ("LSTM", "GRU", "RNN"):
        for label, how in {
            "one": {}, "both-ways": {"bidirectional": True}, "layers": {"num_layers": 3},
            "layers-both": {"num_layers": 2, "bidirectional": True}, "first": {"batch_first": True},
            "no-bias": {"bias": False},
        }.items():  # fmt: skip
            make = lambda kind=kind, how=how: getattr(nn, kind)(6, 8, **how)  # noqa: E731
            yield Network("recurrent", f"{kind.lower()}-{label}", make, (torch.rand(5, 2, 6),), {0: [0, 1]})
            yield Network("recurrent", f"{kind.lower()}-{label}-fixed", make, (torch.rand(5, 2, 6),), {}, (13,))
    yield Network(
        "recurrent", "lstm-projected", lambda: nn.LSTM(6, 8, proj_size=4), (torch.rand(5, 2, 6),), {0: [0, 1]}, (13,)
    )
    yield Network(
        "recurrent", "rnn-relu", lambda: nn.RNN(6, 8, nonlinearity="relu"), (torch.rand(5, 2, 6),), {0: [0, 1]}
    )
    state = lambda net, x, h, c: net(x, (h, c))  # noqa: E731
    yield Network(
        "recurrent", "lstm-state", lambda: Called(state, nn.LSTM(6, 8)),
        (torch.rand(5, 2, 6), torch.rand(1, 2, 8), torch.rand(1, 2, 8)), {0: [0, 1], 1: [1], 2: [1]},
    )  # fmt: skip
    packed = lambda net, x, n: nn.utils.rnn.pad_packed_sequence(  # noqa: E731
        net(nn.utils.rnn.pack_padded_sequence(x, n, batch_first=True, enforce_sorted=True))[0], batch_first=True
    )
    yield Network(
        "recurrent", "lstm-packed", lambda: Called(packed, nn.LSTM(6, 8, batch_first=True)),
        (torch.rand(2, 5, 6), torch.tensor([5, 3])), {0: [0, 1], 1: [0]},
    )  # fmt: skip
    yield Network("recurrent", "crnn", _Crnn, (image(32, 100, channels=1),), {0: [0, 3]})
    yield Network("recurrent", "lstm-cell", _Cells, (torch.rand(2, 4, 6),), {0: [0]})


class _Crnn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d((2, 1), (2, 1)), nn.Conv2d(16, 16, (8, 1)),
        )  # fmt: skip
        self.rnn = nn.LSTM(16, 12, bidirectional=True, num_layers=2)
        self.head = nn.Linear(24, 11)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.conv(x).squeeze(2).permute(2, 0, 1)
        return functional.log_softmax(self.head(self.rnn(features)[0]), -1)


class _Cells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.gru = nn.LSTMCell(6, 8), nn.GRUCell(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = (x.new_zeros(x.shape[0], 8), x.new_zeros(x.shape[0], 8))
        other = x.new_zeros(x.shape[0], 5)
        for step in range(x.shape[1]):
            state = self.lstm(x[:, step], state)
            other = self.gru(state[0], other)
        return other


def _transformers() -> Iterator[Network]:
    words = torch.randint(0, 50, (2, 7))
    yield Network(
        "transformer", "nn-transformer", lambda: nn.Transformer(16, 2, 2, 2, 32, batch_first=True),
        (torch.rand(2, 7, 16), torch.rand(2, 5, 16)), {},
    )  # fmt: skip
    encoder = lambda: nn.TransformerEncoder(  # noqa: E731
        nn.TransformerEncoderLayer(16, 4, 32, activation="gelu", norm_first=True), 2
    )
    yield Network("transformer", "nn-encoder", encoder, (torch.rand(7, 2, 16),), {})
    masked = lambda net, x: net(x, mask=nn.Transformer.generate_square_subsequent_mask(x.shape[0]))  # noqa: E731
    yield Network(
        "transformer", "nn-encoder-causal", lambda: Called(masked, encoder()), (torch.rand(7, 2, 16),), {0: [1]}
    )
    padded = lambda emb, net, w: net(emb(w), src_key_padding_mask=w == 0)  # noqa: E731
    yield Network(
        "transformer", "nn-encoder-padded",
        lambda: Called(padded, nn.Embedding(50, 16), nn.TransformerEncoder(
            nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2, enable_nested_tensor=False)),
        (words,), {},
    )  # fmt: skip
    attention = lambda net, q, k: net(q, k, k)  # noqa: E731
    yield Network(
        "transformer", "attention", lambda: Called(attention, nn.MultiheadAttention(16, 4, batch_first=True)),
        (torch.rand(2, 7, 16), torch.rand(2, 5, 16)), {},
    )  # fmt: skip
    scaled = lambda q, k: functional.scaled_dot_product_attention(q, k, k, is_causal=True)  # noqa: E731
    yield Network(
        "transformer", "scaled-dot", lambda: Called(scaled), (torch.rand(2, 4, 7, 8), torch.rand(2, 4, 7, 8)),
        {0: [0, 2], 1: [0, 2]}, (17,),
    )  # fmt: skip


def _texts() -> Iterator[Network]:
    import transformers as tr

    words, mask = torch.randint(1, 90, (2, 9)), torch.ones(2, 9, dtype=torch.long)
    small = {
        "vocab_size": 90,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
    }
    free = {0: [0, 1], 1: [0, 1]}

    def of(make: Callable[[], nn.Module], take: Callable[..., Any] | None = None) -> Callable[[], nn.Module]:
        first = take or (lambda net, *given: tuple(net(*given, return_dict=False)))
        return lambda: Called(first, make())

    yield Network("text", "bert", of(lambda: tr.BertModel(tr.BertConfig(**small))), (words, mask), free)
    yield Network(
        "text",
        "bert-classifier",
        of(lambda: tr.BertForSequenceClassification(tr.BertConfig(**small))),
        (words, mask),
        free,
    )
    yield Network("text", "roberta", of(lambda: tr.RobertaModel(tr.RobertaConfig(**small))), (words, mask), free)
    yield Network("text", "electra", of(lambda: tr.ElectraModel(tr.ElectraConfig(**small))), (words, mask), free)
    yield Network(
        "text", "albert", of(lambda: tr.AlbertModel(tr.AlbertConfig(**small, embedding_size=16))), (words, mask), free
    )
    distil = {"vocab_size": 90, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    yield Network(
        "text", "distilbert", of(lambda: tr.DistilBertModel(tr.DistilBertConfig(**distil))), (words, mask), free
    )
    gpt = {"vocab_size": 90, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
    take = lambda net, w, m: net(w, attention_mask=m, use_cache=False, return_dict=False)[0]  # noqa: E731
    yield Network("text", "gpt2", of(lambda: tr.GPT2LMHeadModel(tr.GPT2Config(**gpt)), take), (words, mask), free)
    cache = lambda net, w: net(w, use_cache=True, return_dict=False)  # noqa: E731
    yield Network("text", "gpt2-cache", of(lambda: tr.GPT2Model(tr.GPT2Config(**gpt)), cache), (words,), {0: [0, 1]})
    neox = {**small, "max_position_embeddings": 64}
    yield Network("text", "gpt-neox", of(lambda: tr.GPTNeoXModel(tr.GPTNeoXConfig(**neox)), take), (words, mask), free)
    llama = {**small, "num_key_value_heads": 2, "max_position_embeddings": 64}
    yield Network("text", "llama", of(lambda: tr.LlamaModel(tr.LlamaConfig(**llama)), take), (words, mask), free)
    t5 = {"vocab_size": 90, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    yield Network("text", "t5-encoder", of(lambda: tr.T5EncoderModel(tr.T5Config(**t5))), (words, mask), free)
    both = lambda net, w, m, d: net(w, attention_mask=m, decoder_input_ids=d, use_cache=False, return_dict=False)[0]  # noqa: E731
    yield Network(
        "text", "t5", of(lambda: tr.T5ForConditionalGeneration(tr.T5Config(**t5, decoder_start_token_id=0)), both),
        (words, mask, torch.randint(1, 90, (2, 4))), {**free, 2: [0, 1]},
    )  # fmt: skip
    bart = {"vocab_size": 90, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
            "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
            "max_position_embeddings": 64}  # fmt: skip
    yield Network("text", "bart", of(lambda: tr.BartModel(tr.BartConfig(**bart)), both),
                  (words, mask, torch.randint(3, 90, (2, 4))), {**free, 2: [0, 1]})  # fmt: skip
    deberta = {**small, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "max_position_embeddings": 64}
    yield Network(
        "text", "deberta-v2", of(lambda: tr.DebertaV2Model(tr.DebertaV2Config(**deberta))), (words, mask), free
    )
    picture = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
               "image_size": 32, "patch_size": 8}  # fmt: skip
    for name, kind, config in (
        ("vit", "ViTModel", "ViTConfig"), ("deit", "DeiTModel", "DeiTConfig"), ("beit", "BeitModel", "BeitConfig"),
        ("dinov2", "Dinov2Model", "Dinov2Config"),
    ):  # fmt: skip
        make = lambda kind=kind, config=config: getattr(tr, kind)(getattr(tr, config)(**picture))  # noqa: E731
        yield Network("text", name, of(make), (image(32, 32),), {0: [0]})
    sam = {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 16, 24, 32], "num_attention_heads": [1, 2, 3, 4],
           "decoder_hidden_size": 16}  # fmt: skip
    seg = lambda net, x: net(x, return_dict=False)  # noqa: E731
    yield Network(
        "text", "segformer", of(lambda: tr.SegformerForSemanticSegmentation(tr.SegformerConfig(**sam)), seg),
        (image(64, 96),), {0: [0, 2, 3]},
    )  # fmt: skip
    wav = {**small, "conv_dim": [16] * 3, "conv_kernel": [10, 3, 3], "conv_stride": [5, 2, 2],
           "num_feat_extract_layers": 3,
           "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}  # fmt: skip
    yield Network(
        "text", "wav2vec2", of(lambda: tr.Wav2Vec2Model(tr.Wav2Vec2Config(**wav))), (torch.rand(1, 800),), {0: [0, 1]}
    )
    heard = {
        "vocab_size": 90,
        "num_mel_bins": 8,
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 1,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "max_source_positions": 20,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 1,
    }
    yield Network(
        "text", "whisper-encoder",
        of(lambda: tr.WhisperModel(tr.WhisperConfig(**heard)).encoder), (torch.rand(1, 8, 40),), {0: [0]},
    )  # fmt: skip
    clip = {"text_config": {**small, "max_position_embeddings": 16}, "vision_config": picture}
    yield Network(
        "text",
        "clip",
        of(
            lambda: tr.CLIPModel(tr.CLIPConfig(**clip, projection_dim=16)),
            lambda net, w, x: tuple(net(w, x, return_dict=False)[:4]),
        ),
        (words, image(32, 32)),
        {0: [0, 1], 1: [0]},
    )
