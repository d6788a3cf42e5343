# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands: finds a subcommand's module when it is asked for, and turns errors into messages."""

import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dl_driver import __version__
from dl_driver.errors import ConfigError, DlDriverError, RunError

COMMANDS = {
    "run": "dl_driver.cli.run:run",
    "generate": "dl_driver.cli.generate:generate",
    "verify": "dl_driver.cli.verify:verify",
    "validate": "dl_driver.cli.validate:validate",
    "plan": "dl_driver.cli.plan:plan",
    "workloads": "dl_driver.cli.workloads:workloads",
    "schema": "dl_driver.cli.schema:schema",
    "doctor": "dl_driver.cli.doctor:doctor",
    "serve-null": "dl_driver.cli.serve_null:serve_null",
}
"""Each command and its function, in the order in which help lists them. A command's module imports little itself, and
what it works with when it runs, so that help and completion come at once."""


_TYPERS_INTERRUPTED = 130
"""What Typer makes of Ctrl-C before a command has begun."""


class LazyCommands(TyperGroup):
    """Imports a command's module when the command is looked up."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, or None where there is no such name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name].partition(":")
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(cmd_name)(getattr(import_module(module), function))
        return typer.main.get_command(single)

    def invoke(self, ctx: Any) -> Any:
        """Typer makes status 130 of Ctrl-C; here it is 1, as for any run that did not reach its end."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise RunError(str(stop) or "interrupted") from None


app = typer.Typer(
    cls=LazyCommands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"dl-driver {__version__}")
        raise typer.Exit


@app.callback()
def dl_driver(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Replay the I/O of AI training against a storage system and tell whether it keeps the accelerators busy."""


def run_command() -> int:
    """Do what the command line asks for; the exit status."""
    try:
        app(prog_name="dl-driver")
    except DlDriverError as error:
        _report(error)
        return error.exit_status
    except SystemExit as end:
        if end.code == _TYPERS_INTERRUPTED:
            raise KeyboardInterrupt from None
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _report(error: DlDriverError) -> None:
    """One line a problem, or the error's own text."""
    lines = [str(problem) for problem in error.problems] if isinstance(error, ConfigError) else [str(error)]
    for line in lines:
        print(f"dl-driver: {line}", file=sys.stderr)
