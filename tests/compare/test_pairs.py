"""Which outputs of two models are compared, and what is fed to both."""

from __future__ import annotations

from pathlib import Path

import graphsurgeon
from graphsurgeon import surgery
from graphsurgeon.compare.pairs import pair_entries
from graphsurgeon.model.model import Model


def paired(before: Model, after: Model) -> dict[str | None, tuple[dict[str, str], dict[str, str]]]:
    found, _ = pair_entries(before, after, before.metagraphs[0], after.metagraphs[0])
    return {pair.before.key: (dict(pair.inputs), dict(pair.outputs)) for pair in found}


def test_renamed_keys_are_followed(fixtures_dir: Path) -> None:
    path = fixtures_dir / "savedmodel" / "keras_export"
    before, after = graphsurgeon.read(path), graphsurgeon.read(path)
    surgery.rename(after, {"serving_default.probs": "scores"}, what="keys")
    inputs, outputs = paired(before, after)["serving_default"]
    assert inputs == {"image": "image"}
    assert outputs == {"embedding": "embedding", "probs": "scores"}


def test_a_renamed_signature_is_followed(fixtures_dir: Path) -> None:
    path = fixtures_dir / "savedmodel" / "keras_export"
    before, after = graphsurgeon.read(path), graphsurgeon.read(path)
    surgery.rename(after, {"serving_default": "predict"}, what="signatures")
    assert paired(before, after)["serving_default"][1] == {"embedding": "embedding", "probs": "probs"}


def test_an_output_that_is_gone_is_said(fixtures_dir: Path) -> None:
    path = fixtures_dir / "savedmodel" / "keras_export"
    before, after = graphsurgeon.read(path), graphsurgeon.read(path)
    del after.metagraphs[0].signatures["serving_default"].outputs["probs"]
    found, skipped = pair_entries(before, after, before.metagraphs[0], after.metagraphs[0])
    assert [pair.outputs for pair in found if pair.before.key == "serving_default"] == [{"embedding": "embedding"}]
    assert "probs" in str(skipped)
