"""`gs view`: the page of a model in a browser, drawn anew whenever the model changes."""

from __future__ import annotations

from typing import Annotated

import typer

from graphsurgeon.cli import output
from graphsurgeon.cli.commands.look.render import render_options
from graphsurgeon.cli.common import Model, Quiet, expanding
from graphsurgeon.render import View


@expanding(view=render_options)
def view(
    model: Model,
    view: View,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Of this machine alone; 0 takes a free one.")
    ] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    quiet: Quiet = False,
) -> None:
    """Show a graph in the browser, and show it anew whenever the file changes. Ctrl-C ends it.

    The page is that of `gs render -o page.html`, served on the loopback address: nobody else can see it.

    Examples:
        gs view model/
        gs view model.pb --scope block3
        gs view model.tflite --no-browser --port 8000
    """
    from graphsurgeon.cli.live_page import LOOPBACK, LivePage, port_of, served
    from graphsurgeon.formats import read
    from graphsurgeon.render.picture import select_picture

    select_picture(read(model), view)  # mistakes are told here, not in the browser
    page = LivePage(str(model), view)
    with served(page, port) as server:
        address = f"http://{LOOPBACK}:{port_of(server)}/"
        if not quiet:
            output.line(output.mark(model, "strong"), " at ", output.mark(address, "command"), "; Ctrl-C ends it")
        if not no_browser:
            import webbrowser

            webbrowser.open(address)
        server.serve_forever()
