"""The command line. Thin: every command parses, calls the library and prints."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from syngrasp import __version__
from syngrasp.cli.assets import app as assets_app
from syngrasp.cli.doctor import doctor
from syngrasp.cli.export import export
from syngrasp.cli.generate import gc, generate, retry
from syngrasp.cli.importing import import_
from syngrasp.cli.look import show, stats, status
from syngrasp.cli.render import render
from syngrasp.cli.replay import replay
from syngrasp.cli.report import report
from syngrasp.cli.verify import verify
from syngrasp.cli.view import view
from syngrasp.errors import SyngraspError

app = typer.Typer(
    name="syngrasp",
    help="Synthetic grasping data: from 3D meshes to validated and rendered episodes.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
app.add_typer(assets_app, name="assets")
for command in (generate, render, status, stats, report, verify, replay, show, view, export, retry, gc, doctor):
    app.command()(command)
app.command("import")(import_)


@app.callback(invoke_without_command=True)
def _main(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and exits: 0 only on success; 2 with one line on stderr for what the user can mend."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    try:
        code = app(args=None if arguments is None else list(arguments), standalone_mode=False)
    except SyngraspError as error:
        return _complain(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("stopped", 130)
    except Exception as error:
        # Usage errors of the command line parser, whose own class differs between its versions.
        tell = getattr(error, "format_message", None)
        if tell is None:
            raise
        return _complain(tell(), 2)
    return code if isinstance(code, int) else 0


def _complain(message: str, code: int) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return code
