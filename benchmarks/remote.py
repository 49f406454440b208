"""The budget of models behind URLs: what `gs show` fetches of large ones, at most 1 % of their size.

    python benchmarks/remote.py [--gigabytes 1] [--gigabytes-s3 0.1]

The models are sparse files; a server on this machine gives them out by ranges, and counts. One of S3 (moto, which holds
what it gives out in memory; 0 leaves it out) is asked too. Needs what the tests need, no TensorFlow.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import FOLDER, GS, ROOT
from benchmarks.models import node
from benchmarks.show import WEIGHTS, checkpoint, graph_def
from graphsurgeon.formats import schema
from graphsurgeon.formats.savedmodel import parts
from tests.disk.servers import serving

SHARE = 0.01  # of a model's size that may be fetched
SMALLEST = 1_050_000  # bytes of a constant that are jumped over, at the least
BUCKET = "models"


class Made(NamedTuple):
    """A model: what it is, what to show of the folder that is given out, and the files that it takes."""

    title: str
    name: str
    files: list[Path]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self.files)


def main() -> None:
    """Make the models, show each, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--gigabytes-s3", type=float, default=0.1)
    options = parser.parse_args()
    print(f"{'model':46} {'MB':>7} {'fetched kB':>11} {'share':>7} {'requests':>9}")
    kept = over_http(models(int(options.gigabytes * 1e9)))
    if options.gigabytes_s3:
        kept &= over_s3(models(int(options.gigabytes_s3 * 1e9)))
    sys.exit(0 if kept else 1)


def models(size: int) -> list[Made]:
    """Make a SavedModel, a checkpoint and frozen graphs of a size."""
    prefix, many = checkpoint(size), size // SMALLEST
    saved = saved_model(prefix, size)
    variables = [Path(f"{prefix}.{end}") for end in ("index", "data-00000-of-00001")]
    frozen = {count: graph_def(size, count) for count in sorted({min(WEIGHTS, many), many})}
    return [
        Made(f"SavedModel, {WEIGHTS} variables", saved.name, [path for path in saved.rglob("*") if path.is_file()]),
        Made(f"checkpoint, {WEIGHTS} variables", f"{prefix.parent.name}/{prefix.name}", variables),
        *(Made(f"frozen graph, {count} constants", path.name, [path]) for count, path in frozen.items()),
    ]


def saved_model(prefix: Path, size: int) -> Path:
    """Make a SavedModel of the variables of a checkpoint: each is multiplied with the input, one after the other."""
    folder = FOLDER / f"saved-{size}"
    if folder.exists():
        return folder
    (folder / parts.VARIABLES).mkdir(parents=True)
    for end in ("index", "data-00000-of-00001"):
        os.link(f"{prefix}.{end}", folder / parts.VARIABLES / f"{parts.VARIABLES}.{end}")
    nodes, last = [node("x", "Placeholder", dtype=1)], "x"
    for number in range(WEIGHTS):
        name = f"layer_{number:03}"
        nodes.append(node(f"{name}/weights", "VarHandleOp", dtype=1))
        nodes.append(node(f"{name}/read", "ReadVariableOp", [f"{name}/weights"], dtype=1))
        nodes.append(node(f"{name}/mul", "Mul", [last, f"{name}/read"], T=1))
        last = f"{name}/mul"
    message = schema.message("tensorflow.SavedModel")(saved_model_schema_version=1)
    metagraph = message.meta_graphs.add()
    metagraph.meta_info_def.tags.append("serve")
    metagraph.graph_def.ParseFromString(b"".join(nodes))
    for ends, name in ((metagraph.signature_def["f"].inputs, "x"), (metagraph.signature_def["f"].outputs, last)):
        ends["value"].name, ends["value"].dtype = f"{name}:0", 1
    (folder / parts.ENTRIES[0]).write_bytes(message.SerializeToString())
    return folder


def over_http(made: list[Made]) -> bool:
    """Show models behind a server of the web; say whether all keep to the share."""
    kept = True
    with serving(FOLDER) as server:
        for model in made:
            sent, asked = server.sent, len(server.asked)
            show(f"{server.url}/{model.name}")
            kept &= told(f"{model.title}, http", model.size, server.sent - sent, len(server.asked) - asked)
    return kept


def over_s3(made: list[Made]) -> bool:
    """Show models in a bucket, by what gs itself counts; say whether all keep to the share."""
    kept = True
    for model in made:
        with bucket() as system:  # one at a time, since it is memory
            for file in model.files:
                system.put(str(file), f"{BUCKET}/{file.relative_to(FOLDER).as_posix()}")
            said = re.search(r"([\d,]+) bytes came in ([\d,]+) requests", show(f"s3://{BUCKET}/{model.name}"))
            if said is None:
                raise SystemExit("gs show -v does not say how much was fetched")
            fetched, requests = (int(text.replace(",", "")) for text in said.groups())
            kept &= told(f"{model.title}, s3", model.size, fetched, requests)
    return kept


@contextmanager
def bucket() -> Iterator[Any]:
    """Give out an empty bucket, and the file system of fsspec to fill it with."""
    import fsspec
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    with redirect_stdout(None):
        server.start()
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "no",
        "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    try:
        system = fsspec.filesystem("s3", skip_instance_cache=True)
        system.mkdir(BUCKET)
        yield system
        system.rm(BUCKET, recursive=True)
    finally:
        server.stop()


def show(url: str) -> str:
    """Show a model and return what is said beside it.

    Raises:
        SystemExit: it could not be shown.
    """
    done = subprocess.run([*GS, "show", url, "-v"], capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"gs show {url} failed:\n{done.stderr}")
    return done.stderr


def told(title: str, size: int, fetched: int, requests: int) -> bool:
    """Print a row and say whether it keeps to the share."""
    share = fetched / size
    verdict = "" if share <= SHARE else f"  MISSED: at most {SHARE:.0%}"
    print(f"{title:46} {size / 1e6:7.0f} {fetched / 1e3:11.0f} {share:7.2%} {requests:9}{verdict}", flush=True)
    return share <= SHARE


if __name__ == "__main__":
    main()
