"""`gs show --request`: how to ask TensorFlow Serving, as a command for a shell and as Python."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from graphsurgeon.analysis.interface.serving_request import Filled, ServingRequest, make_request
from graphsurgeon.cli import output
from graphsurgeon.model.model import Model

SERVER = "http://localhost:8501"
_FEW = 64  # values that are written out
_MOST = 1 << 20  # values in JSON output
_HELPER = "def filled(value, *lengths):\n    return [filled(value, *lengths[1:])] * lengths[0] if lengths else value"


def print_request(
    model: Model, signature: str | None, tags: list[str] | None, *, as_json: bool, among: bool = False
) -> None:
    """Print a request to one signature of a model."""
    request = make_request(model, signature, tags=tags)
    if as_json:
        body = _expanded(request.body) if _count(request.body) <= _MOST else None
        fields = {"signature": request.signature, "method": "POST", "url": SERVER + request.path}
        named = {"path": model.path} if among else {}
        output.print_json({**named, "request": {**fields, "body": body, "notes": request.notes}}, compact=among)
        return
    for note in request.notes:
        output.verbatim(f"# {note}")
    for line in (*_curl(request), "", *_python(request)):
        output.verbatim(line)


def _curl(request: ServingRequest) -> Sequence[str]:
    url = shlex.quote(SERVER + request.path)
    if _count(request.body) <= _FEW:
        return ["# in a shell", f"curl -X POST {url} \\", f"  -d {shlex.quote(json.dumps(_expanded(request.body)))}"]
    program = f"import json\n{_HELPER}\nprint(json.dumps({_expression(request.body)}))"
    lines = f"python3 -c {shlex.quote(program)} > request.json".splitlines()
    return ["# in a shell", *lines, f"curl -X POST {url} -d @request.json"]


def _python(request: ServingRequest) -> Sequence[str]:
    helper = [_HELPER, ""] if _needs_helper(request.body) else []
    program = [
        "# in Python",
        "import json",
        "import urllib.request",
        "",
        *helper,
        f"body = {_expression(request.body)}",
        f"request = urllib.request.Request({json.dumps(SERVER + request.path)}, json.dumps(body).encode())",
        "print(json.load(urllib.request.urlopen(request)))",
    ]
    return "\n".join(program).splitlines()


def _count(body: Any) -> int:
    if isinstance(body, Filled):
        return body.num_elements
    if isinstance(body, Mapping):
        return sum(map(_count, body.values()))
    return sum(map(_count, body)) if isinstance(body, list) else 1


def _expanded(body: Any) -> Any:
    if isinstance(body, Filled):
        return body.expand()
    if isinstance(body, Mapping):
        return {key: _expanded(value) for key, value in body.items()}
    return [_expanded(item) for item in body] if isinstance(body, list) else body


def _needs_helper(body: Any) -> bool:
    if isinstance(body, Filled):
        return body.num_elements > _FEW
    if isinstance(body, Mapping):
        return any(map(_needs_helper, body.values()))
    return any(map(_needs_helper, body)) if isinstance(body, list) else False


def _expression(body: Any) -> str:
    """Return the body as Python; arrays that are large as calls of the helper."""
    if isinstance(body, Filled) and body.num_elements > _FEW:
        return f"filled({', '.join([_expression(body.item), *map(str, body.dims)])})"
    if isinstance(body, Filled):
        return _expression(body.expand())
    if isinstance(body, Mapping):
        return f"{{{', '.join(f'{_expression(key)}: {_expression(value)}' for key, value in body.items())}}}"
    if isinstance(body, list):
        return f"[{', '.join(map(_expression, body))}]"
    return json.dumps(body) if isinstance(body, str) else repr(body)
