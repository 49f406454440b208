"""A model's own saver, told from an attack that is dressed as one.

Every honest SaverDef of some four hundred models that were looked at restores what a loader names and nothing else, and
saves to the name it is given or to parts beside it. So a saver's op is the model's own where only saving and restoring
reach it, and its path is the fed name alone, or a part beside it.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence

from graphsurgeon.model.graph import Node
from graphsurgeon.model.traversal import reached
from graphsurgeon.ops import kinds
from graphsurgeon.scanning.flow.fold import SHARD
from graphsurgeon.scanning.flow.reach import Label, Stage
from graphsurgeon.scanning.flow.trace import Leaf, Text

SAVES = frozenset(kinds.SAVES) | {"MergeV2Checkpoints"}
# What TensorFlow's savers append to the name: `_temp_<32 hex digits>/part`, `.part`, the number of the shard.
_PART = re.compile(rb"((_temp(_[0-9a-f]+)?/part|\.part|part)?(" + re.escape(SHARD) + rb")?)")
_SAME = frozenset({"Identity"})
_DEFAULT = re.compile(rb"model(" + re.escape(SHARD) + rb")?")  # of `Saver.save`, which every caller overrides


def is_own(node: Node, labels: Sequence[Label], texts: Sequence[Text]) -> bool:
    """Say whether a node saves or restores as the saver of its model does."""
    stages = {label.stage for label in labels}
    if not stages or not stages <= {Stage.SAVE, Stage.RESTORE, Stage.FETCH}:
        return False
    is_restore = node.op in kinds.RESTORES
    if not is_restore and Stage.RESTORE in stages:
        return False  # it would write while a model is loaded
    if not stages & {Stage.SAVE, Stage.RESTORE}:
        return False
    return _has_saver(texts) and all(_is_own_text(text, is_restore=is_restore) for text in texts)


def called(node: Node, labels: list[Label], texts: list[Text]) -> tuple[list[Label], list[Text]]:
    """Return the ways and paths that count where a saver's node is called by something else, too.

    Saving and restoring by themselves would be the model's own; a caller chooses the name that a loader would feed.
    """
    of_saver = [label for label in labels if label.stage in (Stage.SAVE, Stage.RESTORE)]
    others = [label for label in labels if label.stage not in (Stage.SAVE, Stage.RESTORE, Stage.FETCH)]
    if node.op not in kinds.RESTORES | SAVES or not others or not is_own(node, of_saver, texts):
        return labels, texts
    return others, [tuple(_by_caller(part) for part in text) for text in texts]


def _by_caller(part: bytes | Leaf) -> bytes | Leaf:
    return Leaf("caller", part.name) if isinstance(part, Leaf) and part.kind == "saver" else part


def is_unused(labels: Sequence[Label], texts: Sequence[Text]) -> bool:
    """Say whether nothing runs a saver's node, and its path is what a caller would name or a plain name."""
    if any(label.stage is not Stage.FETCH for label in labels):
        return False
    return all(_is_harmless(part) for text in texts for part in text)


def is_warm_start(node: Node, labels: Sequence[Label]) -> bool:
    """Say whether values of a checkpoint initialize variables, in a graph that nothing known runs."""
    if node.op not in kinds.RESTORES or any(label.stage is not Stage.FETCH for label in labels):
        return False
    return _only_feeds(node, kinds.ASSIGNMENTS | _SAME)


def _only_feeds(node: Node, ops: Container[str]) -> bool:
    users = reached(node.consumers, lambda user: user.consumers if user.op in _SAME else ())
    return bool(users) and all(user.op in ops for user in users)


def _has_saver(texts: Iterable[Text]) -> bool:
    return any(isinstance(part, Leaf) and part.kind == "saver" for text in texts for part in text)


def _is_own_text(text: Text, *, is_restore: bool) -> bool:
    first, rest = text[0] if text else b"", text[1:]
    if isinstance(first, bytes):
        return (
            not rest and (_DEFAULT if is_restore or not _PART.fullmatch(first) else _PART).fullmatch(first) is not None
        )
    if first.kind != "saver":
        return False
    if not rest:
        return True
    return not is_restore and all(isinstance(part, bytes) and _PART.fullmatch(part) for part in rest)


def _is_harmless(part: bytes | Leaf) -> bool:
    if isinstance(part, Leaf):
        return part.kind in ("caller", "saver")
    plain = part.removesuffix(SHARD).removesuffix(b"/part")
    return re.fullmatch(rb"[\w.\- ]*", plain) is not None and b".." not in plain
