"""What differs between two MetaGraphs beside their graphs: signatures, collections, saver, assets, object graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from graphsurgeon.analysis.stored_weights.weights import Allowance
from graphsurgeon.compare.alignment import Alignment, Pairs
from graphsurgeon.compare.diff.change import Change, Detail, different, different_sets, told
from graphsurgeon.compare.diff.tensors import same_values, tensor_details
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Collection, CollectionItem, MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.tensor import Tensor

Alignments = Mapping[Graph, Alignment]

MOST_ITEMS = 20  # details told of one collection


class PartsComparison:
    """Compares what mentions nodes from outside the graphs.

    Args:
        before, after: the MetaGraphs.
        alignments: graph of the first -> how its nodes correspond.
        functions: which function is which.
    """

    def __init__(self, before: MetaGraph, after: MetaGraph, alignments: Alignments, functions: Pairs) -> None:
        self._before = before
        self._after = after
        self._alignments = alignments
        self._functions = functions

    def changes(self) -> Iterator[Change]:
        """Yield what differs."""
        yield from self._signatures()
        yield from self._collections()
        yield from self._saver()
        yield from self._assets()
        yield from self._gradients()

    def is_same(self, before: Mention, after: Mention) -> bool:
        """Say whether a mention of the second model means what one of the first has become."""
        one, other = before.target, after.target
        if one is None or other is None:
            return one is other and before.text == after.text
        alignment = self._alignments.get(before.graph)
        if alignment is None or alignment.after is not after.graph:
            return False
        if isinstance(one, Value) and isinstance(other, Value):
            return alignment.image(one) is other
        return isinstance(one, Node) and alignment.nodes.get(one) is other

    def mention_details(self, name: str, before: Mention | None, after: Mention | None) -> Iterator[Detail]:
        """Yield one detail if two mentions do not mean the same."""
        if before is None or after is None:
            yield from different(name, before and before.text, after and after.text)
        elif not self.is_same(before, after):
            yield Detail(name, before.text, after.text)

    def _signatures(self) -> Iterator[Change]:
        before, after = self._before.signatures, self._after.signatures
        yield from (Change("removed", "signature", "", key) for key in before if key not in after)
        yield from (Change("added", "signature", "", key) for key in after if key not in before)
        for key in before:
            details = [*self._signature(before[key], after[key])] if key in after else []
            if details:
                yield Change("changed", "signature", "", key, details=details)

    def _signature(self, before: Signature, after: Signature) -> Iterator[Detail]:
        yield from different("method", before.method, after.method)
        yield from self._entries("input", before.inputs, after.inputs)
        yield from self._entries("output", before.outputs, after.outputs)
        for key in sorted({*before.defaults, *after.defaults}):
            one, other = before.defaults.get(key), after.defaults.get(key)
            if one is not None and other is not None:
                yield from tensor_details(f"default of {key}", one, other, values=Allowance(one.source.nbytes))
            else:
                yield Detail(f"default of {key}", told(one), told(other))

    def _entries(
        self, role: str, before: Mapping[str, SignatureEntry], after: Mapping[str, SignatureEntry]
    ) -> Iterator[Detail]:
        left = [key for key in before if key not in after]
        right = [key for key in after if key not in before]
        for key in left:
            new = next((k for k in right if not any(self._entry(role, before[key], after[k]))), None)
            if new is None:
                yield Detail(f"{role} {key}", _entry(before[key]), None)
            else:
                right.remove(new)
                yield Detail(f"key of {role}", key, new)
        yield from (Detail(f"{role} {key}", None, _entry(after[key])) for key in right)
        for key in before:
            if key in after:
                yield from self._entry(f"{role} {key}", before[key], after[key])

    def _entry(self, name: str, before: SignatureEntry, after: SignatureEntry) -> Iterator[Detail]:
        yield from different(f"dtype of {name}", before.dtype, after.dtype)
        yield from different(f"shape of {name}", before.shape, after.shape)
        if len(before.mentions) != len(after.mentions):
            yield Detail(name, _entry(before), _entry(after))
            return
        for mention, partner in zip(before.mentions, after.mentions, strict=True):
            yield from self.mention_details(name, mention, partner)

    def _collections(self) -> Iterator[Change]:
        before, after = self._before.collections, self._after.collections
        yield from (Change("removed", "collection", "", key) for key in before if key not in after)
        yield from (Change("added", "collection", "", key) for key in after if key not in before)
        for key in before:
            details = [*self._collection(before[key], after[key])] if key in after else []
            if details:
                yield Change("changed", "collection", "", key, details=details[:MOST_ITEMS])

    def _collection(self, before: Collection, after: Collection) -> Iterator[Detail]:
        yield from different("kind", before.kind, after.kind)
        if len(before.items) != len(after.items):
            yield from different_sets("item", map(_item, before.items), map(_item, after.items))
            yield from different("items", len(before.items), len(after.items))
            return
        for place, (one, other) in enumerate(zip(before.items, after.items, strict=True)):
            if not self._is_same_item(one, other):
                yield Detail(f"item {place}", _item(one), _item(other))

    def _is_same_item(self, before: CollectionItem, after: CollectionItem) -> bool:
        if not before.mentions and not after.mentions:
            return _is_same_plain(before.value, after.value)
        if before.type != after.type or before.mentions.keys() != after.mentions.keys():
            return False
        same = all(self.is_same(mention, after.mentions[key]) for key, mention in before.mentions.items())
        return same and (before.type != "VariableDef" or _rest(before) == _rest(after))

    def _saver(self) -> Iterator[Change]:
        before, after = self._before.saver, self._after.saver
        if before is None or after is None:
            if before is not after:
                yield Change("removed" if after is None else "added", "saver", "", "saver")
            return
        details = [*different("version", before.version, after.version)]
        details += self.mention_details("filename tensor", before.filename, after.filename)
        details += self.mention_details("save tensor", before.save, after.save)
        details += self.mention_details("restore op", before.restore, after.restore)
        if details:
            yield Change("changed", "saver", "", "saver", details=details)

    def _assets(self) -> Iterator[Change]:
        before = {asset.filename: asset for asset in self._before.assets}
        after = {asset.filename: asset for asset in self._after.assets}
        yield from (Change("removed", "asset", "", name) for name in before if name not in after)
        yield from (Change("added", "asset", "", name) for name in after if name not in before)
        for name in before:
            if name in after:
                details = [*self.mention_details("tensor", before[name].mention, after[name].mention)]
                if details:
                    yield Change("changed", "asset", "", name, details=details)

    def _gradients(self) -> Iterator[Change]:
        before = {f"{function} {gradient}" for function, gradient in self._named(self._before.gradients).items()}
        after = {f"{function} {gradient}" for function, gradient in self._after.gradients.items()}
        yield from (Change("removed", "gradient", "", name) for name in sorted(before - after))
        yield from (Change("added", "gradient", "", name) for name in sorted(after - before))
        first, second = self._before.registered_gradients, self._after.registered_gradients
        yield from (Change("removed", "gradient", "", key) for key in first if key not in second)
        yield from (Change("added", "gradient", "", key) for key in second if key not in first)
        for key in first:
            if key in second and self.function_name(first[key]) != _name(second[key]):
                details = [Detail("function", _name(first[key]), _name(second[key]))]
                yield Change("changed", "gradient", "", key, details=details)

    def _named(self, gradients: Mapping[str, str]) -> dict[str, str]:
        """Return gradients by name with the names that the functions have in the second model."""
        functions = self._before.functions
        names = {name: self.function_name(function) for name, function in functions.items()}
        return {names.get(function, function): names.get(name, name) for function, name in gradients.items()}

    def function_name(self, function: Graph | str) -> str:
        """Return the name in the second model of a function of the first; its own where it has no partner."""
        if isinstance(function, str):
            return function
        return self._functions.get(function, function).name


def _entry(entry: SignatureEntry) -> str:
    return f"{' + '.join(mention.text for mention in entry.mentions)} {entry.dtype or '?'} {entry.shape or '?'}"


def _item(item: CollectionItem) -> str:
    if item.mentions:
        return next(iter(item.mentions.values())).text
    return told(item.value) or ""


def _is_same_plain(before: object, after: object) -> bool:
    if isinstance(before, Tensor) and isinstance(after, Tensor):
        return same_values(before, after)
    return before == after


def _rest(item: CollectionItem) -> bytes:
    """Return the bytes of a message without the texts, and their lengths, that name something."""
    data = item.value if isinstance(item.value, bytes) else b""
    for mention in item.mentions.values():
        text = mention.stored.encode("utf-8", "surrogateescape")
        data = data.replace(_length(len(text)) + text, b"")
    return data


def _length(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _name(function: Graph | str) -> str:
    return function if isinstance(function, str) else function.name


def producer_changes(before: MetaGraph, after: MetaGraph) -> Iterable[Change]:
    """Yield what differs in the facts about the maker."""
    keys = sorted({*before.producer, *after.producer})
    details = [d for key in keys for d in different(key, before.producer.get(key), after.producer.get(key))]
    if details:
        yield Change("changed", "producer", "", "producer", details=details)
