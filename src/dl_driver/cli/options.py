# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arguments that the commands about one workload share: which one, overrides, environment."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dl_driver.errors import ConfigError, Problem

if TYPE_CHECKING:
    from dl_driver.config import LoadedWorkload


def complete_source(incomplete: str) -> list[str]:
    """Bundled workloads; files are left to the shell."""
    from dl_driver.config.bundled import bundled_names

    return [name for name in bundled_names() if name.startswith(incomplete)]


def complete_argument(ctx: Any, args: list[str], incomplete: str) -> list[str]:
    """Bundled workloads for CONFIG, and keys for the overrides after it."""
    if not (ctx.params.get("arguments") or ctx.params.get("config")):
        return complete_source(incomplete)
    from dl_driver.config.keys import complete_key

    return complete_key(incomplete)


ConfigArguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CONFIG [KEY=VALUE]...",
        help="A workload file or a bundled workload's name, then overrides such as reader.batch_size=8.",
        autocompletion=complete_argument,
    ),
]
ConfigOption = Annotated[
    str | None,
    typer.Option(
        "-c",
        "--config",
        metavar="CONFIG",
        help="CONFIG as an option; all arguments are overrides then.",
        autocompletion=complete_source,
    ),
]
EnvFileOption = Annotated[
    str | None,
    typer.Option("--env-file", metavar="FILE", help="Take variables that the environment lacks from FILE."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def split_config(arguments: list[str] | None, config: str | None) -> tuple[str, list[str]]:
    """The workload's source, and the overrides. Raises ConfigError where no workload is named."""
    given = list(arguments or [])
    if config is not None:
        return config, given
    if not given:
        raise ConfigError([Problem("", "expected CONFIG: a workload file or a name that dl-driver workloads lists")])
    if "=" in given[0]:
        key, _, value = given[0].partition("=")
        message = f"expected CONFIG before the override {given[0]}: a workload file or a bundled name"
        if key.lstrip("+") == "workload":
            message = f"expected CONFIG, a workload file or a bundled name, not {given[0]}: write {value} in its place"
        raise ConfigError([Problem("", message)])
    return given[0], given[1:]


def load_workload(arguments: list[str] | None, config: str | None, env_file: str | None) -> "LoadedWorkload":
    """The workload that the arguments name; what is to be said about it goes to stderr. Raises ConfigError."""
    from dl_driver.config import load

    source, overrides = split_config(arguments, config)
    loaded = load(source, overrides, env_file=env_file)
    for warning in loaded.warnings:
        print(f"dl-driver: warning: {warning}", file=sys.stderr)
    return loaded
