"""The program `gs`: which commands there are, and what happens to errors.

A command is a function in a module of its own that is imported when it is called, so a call pays for one
command. Here is the one outermost handler: every error becomes one line on stderr and an exit status.
"""

from __future__ import annotations

import errno
import gc
import inspect
import io
import os
import signal
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from graphsurgeon.cli.remote import remote_options, tell_traffic
from graphsurgeon.errors import GraphSurgeonError, UsageError

# name -> "module:function", in the order of the help.
COMMANDS = {
    "show": "graphsurgeon.cli.commands.look.show:show",
    "find": "graphsurgeon.cli.commands.look.find:find",
    "inputs": "graphsurgeon.cli.commands.look.candidates:inputs",
    "outputs": "graphsurgeon.cli.commands.look.candidates:outputs",
    "weights": "graphsurgeon.cli.commands.look.weights:weights",
    "check": "graphsurgeon.cli.commands.look.check:check",
    "scan": "graphsurgeon.cli.commands.many.scan:scan",
    "catalog": "graphsurgeon.cli.commands.many.catalog:catalog",
    "diff": "graphsurgeon.cli.commands.look.diff:diff",
    "rename": "graphsurgeon.cli.commands.change.rename:rename",
    "add-output": "graphsurgeon.cli.commands.change.add_output:add_output",
    "add-signature": "graphsurgeon.cli.commands.change.add_signature:add_signature",
    "remove-signature": "graphsurgeon.cli.commands.change.add_signature:remove_signature",
    "extract": "graphsurgeon.cli.commands.change.extract:extract",
    "freeze": "graphsurgeon.cli.commands.change.freeze:freeze",
    "join": "graphsurgeon.cli.commands.change.join:join",
    "optimize": "graphsurgeon.cli.commands.change.optimize:optimize",
    "rewire": "graphsurgeon.cli.commands.change.rewire:rewire",
    "replace": "graphsurgeon.cli.commands.change.replace:replace",
    "strip": "graphsurgeon.cli.commands.change.strip:strip",
    "set-input": "graphsurgeon.cli.commands.change.set_input:set_input",
    "set-output": "graphsurgeon.cli.commands.change.set_output:set_output",
    "set-weights": "graphsurgeon.cli.commands.change.set_weights:set_weights",
    "metadata": "graphsurgeon.cli.commands.change.metadata:metadata",
    "attach-checkpoint": "graphsurgeon.cli.commands.change.attach_checkpoint:attach_checkpoint",
    "average": "graphsurgeon.cli.commands.change.average:average",
    "cast": "graphsurgeon.cli.commands.change.cast:cast",
    "merge": "graphsurgeon.cli.commands.change.merge:merge",
    "render": "graphsurgeon.cli.commands.look.render:render",
    "view": "graphsurgeon.cli.commands.look.view:view",
    "apply": "graphsurgeon.cli.commands.change.apply:apply",
    "run": "graphsurgeon.cli.commands.run.run:run",
    "verify": "graphsurgeon.cli.commands.run.verify:verify",
    "convert": "graphsurgeon.cli.commands.change.convert:convert",
}

COLLECT_AFTER = 100_000  # objects; the usual 700 make the collector run 50 times in a process of 0.1 s
INTERNAL_ERROR = 70
INTERRUPTED = 130
_CLICK_ERROR: type[Exception] = typer.BadParameter.__mro__[2]  # ClickException, under whichever name typer has it
_EXAMPLES = "\nExamples:\n"


def main() -> NoReturn:
    """Run the command that the arguments name and leave with its exit status."""
    gc.set_threshold(COLLECT_AFTER)
    if not sys.warnoptions and not os.environ.get("GS_DEBUG"):
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, about values of the model: nobody can do anything
    if threading.current_thread() is threading.main_thread():  # nobody else may set a handler
        signal.signal(signal.SIGTERM, _interrupt)
    status = run(sys.argv[1:])
    gc.freeze()  # nothing is left to find; looking through everything once more on the way out takes 15 ms
    sys.exit(status)


def _interrupt(number: int, frame: object) -> None:
    """Take a request to end, as schedulers send it, for Ctrl-C: what was begun is removed."""
    raise KeyboardInterrupt


def run(arguments: Sequence[str]) -> int:
    """Run one command and return the exit status; errors are told on stderr."""
    _prepare_streams()
    try:
        status = _dispatch(list(arguments))
        sys.stdout.flush()
        tell_traffic(list(arguments))
    except GraphSurgeonError as error:
        status = _tell(str(error), error.exit_code, error.excerpt)
    except typer.Abort:
        status = INTERRUPTED
    except KeyboardInterrupt:
        status = _tell("interrupted; nothing was written", INTERRUPTED)
    except BrokenPipeError:
        status = _close_quietly()
    except OSError as error:  # of files they are translated where they come up: what is left is printing
        status = _close_told(error)
    except Exception as error:  # the one handler that may: everything else is our bug
        status = _tell_internal(error)
    return status


def _prepare_streams() -> None:
    """Let everything be printable, and closed streams be full ones."""
    if sys.stdout is None:  # closed before we began
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  nobody listens
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _dispatch(arguments: list[str]) -> int:
    _refuse_ghostscript(arguments)
    command = typer.main.get_command(_app())
    name = os.path.basename(sys.argv[0]) if sys.argv else "gs"
    name = name if name in ("gs", "graphsurgeon") else "gs"
    if f"_{name.upper()}_COMPLETE" in os.environ:
        command.main(arguments, prog_name=name)  # answers the shell and leaves
    try:
        with command.make_context(name, arguments or ["--help"]) as context:
            command.invoke(context)
    except typer.Exit as stop:
        return int(stop.exit_code)
    except _CLICK_ERROR as error:
        raise _usage_error(error, name) from error
    return 0


def parse_command(name: str, arguments: Sequence[str]) -> None:
    """Run one command inside another, such as the steps of a recipe.

    Raises:
        UsageError: there is no such command, or its options are wrong.
    """
    if name not in COMMANDS:
        raise UsageError(f"there is no command {name!r}", hint=_suggest(name))
    command = _load(name)
    try:
        with command.make_context(name, list(arguments)) as context:
            command.invoke(context)
    except _CLICK_ERROR as error:
        raise _usage_error(error, name) from error


class Commands(TyperGroup):
    """The commands of `COMMANDS`, each imported when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return all names, in the order of the help."""
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write every command with its first sentence, whole."""
        sentences = [(name, (_load(name).help or "").partition("\n\n")[0]) for name in COMMANDS]
        with formatter.section("Commands"):
            formatter.write_dl([(name, " ".join(sentence.split())) for name, sentence in sentences])

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command; suggest a near name for an unknown one."""
        if cmd_name in COMMANDS:
            return _load(cmd_name)
        if ctx.resilient_parsing or cmd_name.startswith("-"):
            return None
        raise UsageError(f"there is no command {cmd_name!r}", hint=_suggest(cmd_name))


class Command(TyperCommand):
    """A command whose help ends with examples that are printed as they are.

    Attributes:
        told_by: word of the help, in braces -> what tells the text in its place; asked when the help is printed, since
            tables of operations take longer to import than most commands take to run.
    """

    examples = ""
    told_by: Mapping[str, Callable[[], str]] = {}

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, and keep them as they were given."""
        ctx.meta["arguments"] = list(args)
        try:
            return list(super().parse_args(ctx, args))
        except _CLICK_ERROR as error:
            if getattr(error, "ctx", None) is None:
                error.ctx = ctx  # type: ignore[attr-defined]
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error that names no file is about the model."""
        try:
            return super().invoke(ctx)
        except GraphSurgeonError as error:
            from graphsurgeon.cli.mistakes import require_order

            require_order(ctx)
            if ctx.params.get("model") is not None:
                error.at(ctx.params["model"])
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what stands behind the name in the usage line, required arguments without braces."""
        return [piece[1:-1] if piece[:1] == "{" else piece for piece in super().collect_usage_pieces(ctx)]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, then the examples."""
        for word, tell in self.told_by.items():
            self.help = (self.help or "").replace(f"{{{word}}}", tell())
        super().format_help(ctx, formatter)
        if self.examples:
            formatter.write(f"{_EXAMPLES}{self.examples}\n")


def _app() -> typer.Typer:
    app = typer.Typer(
        cls=Commands,
        add_completion=True,
        rich_markup_mode=_markup_mode(),
        help="Look into trained TensorFlow model files, operate on them, and write them back; without TensorFlow.",
        epilog="MODEL is a SavedModel, a frozen graph, a .meta file, a checkpoint or a .tflite, as file or folder.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )

    @app.callback()
    def program(
        version: Annotated[
            bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
        ] = False,
    ) -> None:
        pass

    return app


def function_of(name: str) -> Any:
    """Import the function behind a command."""
    module, _, function = COMMANDS[name].partition(":")
    return getattr(import_module(module), function)


def _load(name: str) -> Any:
    callback = function_of(name)
    text, _, examples = inspect.cleandoc(callback.__doc__ or "").partition(_EXAMPLES)
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    app = typer.Typer(add_completion=False, rich_markup_mode=_markup_mode())
    app.command(
        name,
        cls=Command,
        help="\n\n".join(paragraphs),
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )(callback)
    command: Any = typer.main.get_command(app)
    command.name = name
    command.params += remote_options(command.params)
    command.told_by = getattr(callback, "told_by", {})
    command.examples = textwrap.indent(textwrap.dedent(examples), "  ")
    if _is_completing():
        from graphsurgeon.cli import completion

        completion.attach(command)
    return command


def _is_completing() -> bool:
    """Say whether a shell asks for the rest of a word."""
    return any(f"_{name}_COMPLETE" in os.environ for name in ("GS", "GRAPHSURGEON"))


def _markup_mode() -> Any:
    """Draw help with rich on a terminal; in a pipe plain text is what is wanted, and rich costs 0.1 s."""
    return "rich" if sys.stdout.isatty() else None


def _show_version(wanted: bool) -> None:
    if wanted:
        from graphsurgeon import __version__

        print(f"graphsurgeon {__version__}")
        raise typer.Exit


def _suggest(name: str) -> str:
    from difflib import get_close_matches

    if name == "help":
        return "gs --help, or gs COMMAND --help"
    near = get_close_matches(name, COMMANDS, n=3, cutoff=0.5)
    if not near and (os.path.exists(name) or os.sep in name):
        return f"to look at a model: gs show {name}"
    return f"did you mean {' or '.join(map(repr, near))}?" if near else "see gs --help"


def _usage_error(error: Exception, name: str) -> UsageError:
    from graphsurgeon.cli.mistakes import usage_error

    return usage_error(error, name)


def _refuse_ghostscript(arguments: list[str]) -> None:
    """Say which program this is to somebody who meant the other `gs`."""
    if not arguments or arguments[0] in COMMANDS:
        return
    if any(_is_ghostscript_option(argument) for argument in arguments):
        raise UsageError(
            "this gs is graphsurgeon, which operates on TensorFlow models; the options are those of Ghostscript",
            hint="call Ghostscript by its full path; graphsurgeon can also be called `graphsurgeon`",
        )


def _is_ghostscript_option(argument: str) -> bool:
    """Recognise -dNAME, -sNAME=VALUE, -SNAME=TOKEN, -rNUMBER and the like."""
    if argument[:2] in ("-d", "-D"):
        return argument[2:3].isupper()
    if argument[:2] in ("-s", "-S"):
        return argument[2:3].isalpha() and ("=" in argument or "#" in argument)
    return argument[:2] in ("-r", "-g") and argument[2:3].isdigit()


def _tell(message: str, status: int, excerpt: str = "") -> int:
    from graphsurgeon.cli.output import escape, sign

    with _ignoring_closed_pipe():
        lines = [f"{sign('error')} {escape(message)}", *map(escape, excerpt.splitlines())]
        print("\n".join(lines), file=sys.stderr, flush=True)
    if status not in (0, INTERRUPTED) and os.environ.get("GS_DEBUG"):
        _print_trace()
    return status


def _tell_internal(error: Exception) -> int:
    what = " ".join(f"{type(error).__name__}: {error}".split())
    debugging = bool(os.environ.get("GS_DEBUG"))
    advice = "" if debugging else "; run again with GS_DEBUG=1 for the trace"
    return _tell(f"internal error: {what[:500]}{advice}", INTERNAL_ERROR)


def _print_trace() -> None:
    import traceback

    with _ignoring_closed_pipe():
        traceback.print_exc()


def _ignoring_closed_pipe() -> Any:
    from contextlib import suppress

    return suppress(BrokenPipeError)


def _close_quietly() -> int:
    """Let the interpreter flush into nothing: whoever read our output has what they wanted."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _close_told(error: OSError) -> int:
    """Say that the output cannot be printed; the interpreter flushes what is left of it into nothing."""
    from contextlib import suppress

    from graphsurgeon.disk.files import reason
    from graphsurgeon.errors import FileError

    with suppress(OSError, ValueError):
        _close_quietly()
    hint = "what the command wrote to files is complete"
    return _tell(
        str(FileError(f"cannot print to the standard output: {reason(error)}", hint=hint)), FileError.exit_code
    )


class _Closed(io.TextIOBase):
    """Stands for a standard output that is closed: the first line that is printed fails, as on a full one."""

    def write(self, text: str) -> int:
        """Refuse."""
        raise OSError(errno.EBADF, "it is closed")
