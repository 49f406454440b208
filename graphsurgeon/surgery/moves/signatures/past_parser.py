"""A signature that is fed parsed features, beside the one that parses serialized `tf.train.Example`s."""

from __future__ import annotations

from collections.abc import Mapping

from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.graph import Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.shapes.report import ShapeReport
from graphsurgeon.surgery.complete import check_servable
from graphsurgeon.surgery.moves.fetchable import check_fetchable
from graphsurgeon.surgery.moves.functions.carry_in import carry_in, left_unfed
from graphsurgeon.surgery.moves.functions.functionalize import bound_objects, part_between
from graphsurgeon.surgery.moves.signatures.feature_inputs import feature_inputs, parsing_signature, signature_outputs
from graphsurgeon.surgery.moves.signatures.new_signature import (
    SignatureReport,
    add_to_objects,
    make_signature,
    signature_report,
)
from graphsurgeon.surgery.moves.signatures.signature_keys import check_method

PARSED = "parsed"  # key of such a signature


def add_past_parser(
    model: Model,
    metagraph: MetaGraph,
    outputs: Mapping[str, Value],
    source: str | None,
    name: str,
    method: str,
    shapes: ShapeReport,
) -> SignatureReport:
    """Add a signature whose inputs are the features that outputs are computed of.

    Args:
        model: changed in place.
        metagraph: which of it.
        outputs: key -> main-graph value; empty for those of a signature.
        source: key of that signature; None for `serving_default`, or the only one that parses.
        name, method: of the new signature.
        shapes: of the MetaGraph.

    Raises:
        UsageError: a signature is unknown, or several could be meant.
        UnsupportedError: nothing is parsed, or the outputs need what is neither parsed nor known.
    """
    outputs = outputs or signature_outputs(parsing_signature(metagraph, source))
    inside = next((value for value in outputs.values() if value.graph is not metagraph.graph), None)
    if inside is not None:
        raise UnsupportedError(
            f"{inside} lies in function {inside.graph.name!r}",
            hint=f"gs add-output MODEL {inside}=NAME -o OUT carries it out first",
        )
    dtypes = {key: check_fetchable(value, shapes.dtype(value)).base for key, value in outputs.items()}
    facts = {key: (dtypes[key], shapes.shape(value)) for key, value in outputs.items()}
    features = feature_inputs(metagraph, list(outputs.values()), shapes)
    unfed = left_unfed(metagraph.graph, features.fed, list(outputs.values()))
    if unfed:
        raise UsageError(
            f"the outputs also need {unfed[0].name}, which no parser reads past",
            hint="gs add-signature MODEL --input KEY=TENSOR ... names all inputs itself",
        )
    anchors = {one.name: one.value for one in features.fed}
    check_method(make_signature(metagraph, name, method, anchors, outputs, shapes, facts))
    if model.traits.is_bare_graph:
        check_servable(model, metagraph)
    if metagraph.objects is not None:  # refuses what has no object before anything changes
        bound_objects(metagraph, part_between(metagraph.graph, [], list(outputs.values())).handles, model.checkpoint)
    feeds, targets, copied = carry_in(metagraph, features.fed, outputs)
    signature = make_signature(metagraph, name, method, feeds, targets, infer_shapes(metagraph), facts)
    signature.defaults = features.defaults
    if metagraph.objects is not None:
        part = part_between(metagraph.graph, list(feeds.values()), list(targets.values()))
        bound = bound_objects(metagraph, part.handles, model.checkpoint)
        add_to_objects(metagraph, metagraph.objects, signature, part, bound)
    metagraph.signatures[name] = signature
    return signature_report(signature, metagraph.objects is not None, copied, features.notes)
