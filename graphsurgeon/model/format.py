"""What a format is: one record, which code asks what it can hold and do. The records are in `formats/registry.py`.

An *op vocabulary* is what op names mean: `Max` reduces in TensorFlow and is elementwise in ONNX. Whatever knows ops
(definitions, shape functions, rules, pictures) is asked for those of a graph's vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from graphsurgeon.errors import UnsupportedError

Vocabulary: TypeAlias = str  # the name of one; a reader of another framework's files says its own
TENSORFLOW: Vocabulary = "tensorflow"
TFLITE: Vocabulary = "tflite"
ONNX: Vocabulary = "onnx"
STABLEHLO: Vocabulary = "stablehlo"
# Frameworks whose graphs are layers: one node a layer, its weights beside it.
MXNET: Vocabulary = "mxnet"
CAFFE: Vocabulary = "caffe"
LAYERED: tuple[Vocabulary, ...] = ("keras", MXNET, CAFFE, "caffe2", "mmdnn")
OF_VOCABULARY = ": "  # between a vocabulary and an op of it; no op of TensorFlow or TFLite has that in its name

Layout = Literal["file", "folder", "group"]


@dataclass(frozen=True, kw_only=True)
class Format:
    """What files of one kind hold, what can be done with them, and which module does it.

    Attributes:
        name: what `--json` calls it.
        title: what messages call one, behind `article`: "GraphDef", "ONNX model".
        article: "a" or "an".
        module: what reads it and writes it: the name of a module below `graphsurgeon.formats`, imported when needed,
            or the module itself.
            It has `read(path) -> Model`, and where it can be written `lower(model) -> {name of a file: its pieces}`,
            with one file under the name "".
        read_options: keywords that `read` takes, of "is_text" and "force_text".

        kinds: what the recognisers in `formats/recognise/` call files of it; () stands for the name.
        parts: of these, files that belong to another one of the format where that lies in the same folder.
        magic: (offset, bytes) that only its files have.
        sniffed_among: what the recognisers call its files where they see only what these are written in ("json", "zip",
            "hdf5", "text"), or "" for nothing at all: the module's `sniff(file) -> bool` is asked about such files.

        vocabulary: of its ops, where a graph does not say otherwise; empty without a graph.
        holds_several_graphs, holds_functions, holds_signatures, holds_assets: whether a file of it can hold them.
        variables: where those of a model lie: inside it, beside it in a checkpoint of its own, or nowhere ("").
        holds_models: it is a bundle: its files hold models, and are none.
        is_servable: it is what TensorFlow Serving and the loaders of TensorFlow 2 take.
        runtimes: what reads and runs such files, the one of the framework first ("tensorflow", "litert", "onnxruntime",
            "openvino", "keras"); none if nothing does here.

        layout: one file, a folder, or a group of files with one prefix.
        entries: of a folder: names of files, one of which makes it a model -> in text form.
        folder_parts: of a folder: names of all that belongs to it; a folder with anything else is not replaced.
        planner: what gathers the files of a model that is written, "module:function" below `graphsurgeon.formats`;
            empty where they are what `lower` gives.
        writes: vocabularies of graphs that it can take, "" where it takes weights alone; none if it is only read.
        writes_anew: only what gs has made of another format is written as it; a file that is read is not changed.
        weights_beside: of a file of structure: the end of the name of the file of weights that is looked for beside it.
        named_by: ends that a prefix may be given without: of a network in a file of structure and one of weights.
        edit_with: what else edits one, where gs does not; a hint.
        becomes: vocabularies that its graphs can be made into: `gs convert` writes them where another format does.
        has_text_form: protobufs that can be text as well: `lower` takes `text`.
        suffixes: of targets that are written as it -> in text form; None keeps the form of the source.
        options: what `--format` calls it -> in text form; {} stands for its name.
        releases: what `gs convert --for` takes: a release of the framework -> its name; the module's
            `lower_for(model, release)` writes the model for it.
        has_free_names: names of its tensors may hold commas, so lists of them are not cut there.
    """

    name: str
    title: str
    module: Any
    article: str = "a"
    read_options: tuple[str, ...] = ()

    kinds: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    magic: tuple[tuple[int, bytes], ...] = ()
    sniffed_among: tuple[str, ...] = ()

    vocabulary: Vocabulary = ""
    holds_several_graphs: bool = False
    holds_functions: bool = False
    holds_signatures: bool = False
    holds_assets: bool = False
    variables: Literal["inside", "beside", ""] = ""
    holds_models: bool = False
    is_servable: bool = False
    runtimes: tuple[str, ...] = ()

    layout: Layout = "file"
    entries: Mapping[str, bool | None] = field(default_factory=dict)
    folder_parts: frozenset[str] = frozenset()
    planner: str = ""
    writes: frozenset[Vocabulary] = frozenset()
    writes_anew: bool = False
    weights_beside: str = ""
    named_by: tuple[str, ...] = ()
    edit_with: str = ""
    becomes: frozenset[Vocabulary] = frozenset()
    has_text_form: bool = False
    suffixes: Mapping[str, bool | None] = field(default_factory=dict)
    options: Mapping[str, bool | None] = field(default_factory=dict)
    releases: Mapping[str, str] = field(default_factory=dict)
    has_free_names: bool = False

    @property
    def runtime(self) -> str:
        """The runtime of the framework that such files belong to; empty if nothing runs them here."""
        return self.runtimes[0] if self.runtimes else ""

    @property
    def a_title(self) -> str:
        """The title behind its article: "a GraphDef", "an ONNX model"."""
        return f"{self.article} {self.title}"

    @property
    def holds_graph(self) -> bool:
        """Say whether files of it hold a graph; those of others hold weights alone."""
        return bool(self.vocabulary)

    @property
    def can_write(self) -> bool:
        """Say whether anything is written as it."""
        return bool(self.writes)

    @property
    def can_edit(self) -> bool:
        """Say whether a model of it can be changed and written back."""
        return self.vocabulary in self.writes and not self.writes_anew

    @property
    def is_bare_graph(self) -> bool:
        """Say whether it is a graph whose variables lie elsewhere, if it has any, in TensorFlow's words."""
        return self.vocabulary == TENSORFLOW and self.variables != "inside"

    def refuse(self, what: str, *, hint: str = "") -> UnsupportedError:
        """Return the error for what cannot be done: `what` goes on from the title, such as "holds no signatures"."""
        return UnsupportedError(f"{self.a_title} {what}", hint=hint)

    def __repr__(self) -> str:
        return f"Format({self.name!r})"
