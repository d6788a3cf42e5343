# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``dl-driver generate``: write a workload's data set."""

import sys
from typing import Annotated

import typer

from dl_driver.cli.options import ConfigArguments, ConfigOption, EnvFileOption, load_workload
from dl_driver.cli.progress import Progress, ProgressStyle


def generate(
    arguments: ConfigArguments = None,
    config: ConfigOption = None,
    env_file: EnvFileOption = None,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Keep files that have the right size already.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Writing processes; default: one a core.")
    ] = None,
    progress: Annotated[ProgressStyle, typer.Option(help="How to show progress, on stderr.")] = ProgressStyle.AUTO,
) -> None:
    """Write a workload's data set."""
    from dl_driver.run.generating import generate_data_set

    loaded = load_workload(arguments, config, env_file)
    shown = Progress(progress, "files")
    report = generate_data_set(loaded.workload, skip_existing=skip_existing, workers=workers, progress=shown.update)
    rate = report.bytes / report.seconds / 2**20 if report.seconds else 0.0
    skipped = f", {report.skipped:,} were there" if report.skipped else ""
    print(
        f"generated {report.files:,} files, {report.bytes / 2**20:,.1f} MiB in {report.seconds:.2f} s"
        f" ({rate:,.0f} MiB/s){skipped}: {loaded.workload.data_uri}",
        file=sys.stderr,
    )
