"""Who runs Graphviz: the package `graphviz`, with the program that is here.

The system's `dot` where there is one, else the program of the package `graphviz-pure`, a port of it to one file
without dependencies, which understands the same command line. It runs as a process of its own, which is stopped when
time is up.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsurgeon.errors import GraphSurgeonError, UnsupportedError

if TYPE_CHECKING:
    import graphviz

_PORTED = "graphviz-pure"


class EngineTimeoutError(GraphSurgeonError):
    """The program took too long."""


def piped(source: str, format: str, *, seconds: float | None = None) -> bytes:
    """Return what `dot` makes of a text in its language.

    Args:
        source: in DOT.
        format: of the result, such as `json` and `svg`.
        seconds: time limit.

    Raises:
        EngineTimeoutError: it took longer than so many seconds.
        UnsupportedError: there is no such program, or none that works.
    """
    from graphviz.backend import dot_command, execute

    failure = ""
    for program in programs():
        words = [program, *dot_command.command("dot", format)[1:]]
        try:
            # The package's own `pipe` has no time limit, and knows no program but `dot`.
            done = execute.run_check(words, input=source.encode(), capture_output=True, quiet=True, timeout=seconds)
        except subprocess.TimeoutExpired as late:
            raise EngineTimeoutError(f"{program} took longer than {seconds:g} s") from late
        except execute.CalledProcessError as error:
            failure = f"{program}: {error.stderr.decode('utf-8', 'replace').strip()[:200]}"
        except execute.ExecutableNotFound:
            failure = f"{program}: it cannot be run"
        except OSError as error:
            failure = f"{program}: {error.strerror}"
        else:
            if done.stdout:
                return bytes(done.stdout)
    hint = "install graphviz, or pip install graphviz-pure"
    raise UnsupportedError(failure or "no program lays out graphs here", hint=hint)


def programs() -> list[str]:
    """Return the programs that lay out, best first."""
    folders = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    user = sysconfig.get_preferred_scheme("user")
    folders.append(sysconfig.get_path("scripts", user))
    ported = (shutil.which(_PORTED, path=folder) for folder in folders)
    found = [shutil.which("dot"), *ported, shutil.which(_PORTED)]
    return list(dict.fromkeys(program for program in found if program))


def source_of(text: str) -> graphviz.Source:
    """Return a text in DOT as the package `graphviz` has it: to be changed, shown in a notebook, rendered.

    What it shows and pipes is made by the port where there is no Graphviz; `render` and `view` need Graphviz.
    """
    return _source_class()(text)


@cache
def _source_class() -> Any:
    import graphviz

    class PipedSource(graphviz.Source):  # type: ignore[misc]
        """A `graphviz.Source` that is piped through whatever lays out here."""

        def pipe(self, format: str | None = None, *args: Any, encoding: str | None = None, **options: Any) -> Any:
            """Return the picture as bytes, or as text with an encoding."""
            if args or any(options.values()) or shutil.which("dot") is not None:
                return super().pipe(format, *args, encoding=encoding, **options)
            content = piped(self.source, format or "svg")
            return content if encoding is None else content.decode(encoding)

        def _repr_image_svg_xml(self) -> str:
            return str(self.pipe(format="svg", encoding="utf-8"))

    return PipedSource


__all__ = ["EngineTimeoutError", "piped", "programs", "source_of"]
