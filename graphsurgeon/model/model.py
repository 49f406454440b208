"""A model file as one object."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from graphsurgeon.errors import UsageError
from graphsurgeon.model.display import Displayed
from graphsurgeon.model.graph import Graph

if TYPE_CHECKING:
    from typing import Any

    from graphsurgeon.model.checkpoint import Checkpoint
    from graphsurgeon.model.format import Format
    from graphsurgeon.model.metagraph import MetaGraph

FormatName: TypeAlias = str  # of a record in `formats/registry.py`


class ModelMember(NamedTuple):
    """A file in a bundle.

    Attributes:
        name: in the bundle.
        path: that leads to it.
        bytes: of it, unpacked.
        what: it is, in words; empty if nothing shows.
        format: of a model, its name.
    """

    name: str
    path: str
    bytes: int
    what: str
    format: FormatName | None


class Model(Displayed):
    """What a file or folder holds.

    Attributes:
        traits: the format it was read from: what it can hold, and what can be done with it.
        format: its name.
        path: the file or folder, as given.
        metagraphs: one per tag set of a SavedModel, one for the other graph formats, none for a checkpoint.
        checkpoint: the variables, where the files hold any: of a checkpoint, of a SavedModel, or of the
            checkpoint beside a `.meta`. None leaves a written SavedModel without variables.
        unreadable: why variables that are there could not be read (they are carried along); empty otherwise.
        files: every file of the model: path -> bytes.
        members: of a bundle.
        notes: what the reader noticed and the user should know, one line each.
        raw: the format's own form.
    """

    __slots__ = (
        "checkpoint", "files", "format", "members", "metagraphs", "notes", "path", "raw", "traits", "unreadable",
    )  # fmt: skip

    def __init__(self, traits: Format, path: str, raw: Any = None) -> None:
        self.traits = traits
        self.format: FormatName = traits.name
        self.path = path
        self.raw = raw
        self.metagraphs: list[MetaGraph] = []
        self.checkpoint: Checkpoint | None = None
        self.unreadable = ""
        self.files: dict[str, int] = {}
        self.members: list[ModelMember] = []
        self.notes: list[str] = []

    @property
    def graph(self) -> Graph:
        """The main graph, of a model that has one: `metagraphs` holds those of a SavedModel with several sets of tags.

        Raises:
            UsageError: there is none, or several.
        """
        if len(self.metagraphs) != 1:
            raise UsageError(f"the model has {len(self.metagraphs)} MetaGraphs", path=self.path)
        return self.metagraphs[0].graph

    @property
    def graphs(self) -> list[Graph]:
        """Every graph of every MetaGraph."""
        return [graph for metagraph in self.metagraphs for graph in metagraph.graphs]

    @property
    def num_bytes(self) -> int:
        """Bytes of all its files."""
        return sum(self.files.values())

    def __repr__(self) -> str:
        return f"Model({self.format}, {self.path!r})"


def require_read_model(function: str, given: object) -> None:
    """Refuse what is no model: a path, or a graph.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(given, Model):
        text = repr(given)
        shown = f"{text if len(text) <= 40 else text[:37] + '...'} ({type(given).__name__})"
        raise UsageError(f"{function} takes a model first, not {shown}", hint="graphsurgeon.read(path) gives the model")
