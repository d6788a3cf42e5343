# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``dl-driver run``: generate where asked, train and evaluate on emulated accelerators, report."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dl_driver.cli.main import ONE_REQUEST_S
from dl_driver.cli.options import ConfigArguments, ConfigOption, EnvFileOption, split_config
from dl_driver.cli.progress import Progress, ProgressStyle
from dl_driver.errors import ConfigError, Problem

if TYPE_CHECKING:
    from dl_driver.config import LoadedWorkload
    from dl_driver.metrics.record import RunRecord
    from dl_driver.report.facts import WorkloadFacts
    from dl_driver.report.summary import Summary
    from dl_driver.run.accelerators import StopRequest
    from dl_driver.run.experiment import RunOptions
    from dl_driver.storage.base import StorageSettings


class ReportFormat(StrEnum):
    """Choices of --format."""

    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a run's results go."""

    folder: Path
    log_file: str
    report_format: ReportFormat | None
    """Of the report on stdout; None for the summary."""
    output: Path | None
    """The report goes to this file instead."""


def run(
    arguments: ConfigArguments = None,
    config: ConfigOption = None,
    env_file: EnvFileOption = None,
    accelerators: Annotated[
        int, typer.Option(min=1, metavar="N", help="Emulated accelerators; each has its own share of the data.")
    ] = 1,
    mlperf: Annotated[
        bool, typer.Option("--mlperf", help="Print the MLPerf-style report on stdout instead of the summary.")
    ] = False,
    report_format: Annotated[
        ReportFormat | None, typer.Option("--format", help="Form of that report, which this option asks for too.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write that report to FILE, beside the rest.")
    ] = None,
    max_epochs: Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop after N epochs.")] = None,
    max_steps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop after N training steps, all epochs together.")
    ] = None,
    pool_size: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Samples that each accelerator reads at the same time.")
    ] = None,
    readahead: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Batches that each accelerator asks for ahead.")
    ] = None,
    max_inflight: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Upper limit of --pool-size; alone, the same as it.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Give up when no batch comes for so long; default: never.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Reading processes; default: one a core.")
    ] = None,
    results: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Results folder, or its URI in an object store; default: results/WORKLOAD/TIME."
        ),
    ] = None,
    progress: Annotated[ProgressStyle, typer.Option(help="How to show progress, on stderr.")] = ProgressStyle.AUTO,
    strict_direct: Annotated[
        bool, typer.Option("--strict-direct", help="Fail where direct:// would go through the page cache.")
    ] = False,
    pretty: Annotated[bool, typer.Option("--pretty", help="Print the composed configuration and stop.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say more on stderr.")] = False,
) -> None:
    """Run a workload and report whether the storage kept the accelerators busy."""
    depth = {"pool_size": pool_size, "readahead": readahead, "max_inflight": max_inflight}
    reader = depth | {"timeout": timeout, "workers": workers}
    overrides = [f"reader.{key}={value}" for key, value in reader.items() if value is not None]
    loaded = _load(arguments, config, env_file, overrides + ["storage.strict_direct=true"] * strict_direct)
    if pretty:
        _print_config(loaded)
        return
    shown = Progress(progress, "steps")
    if _generates_only(loaded):
        _generate(loaded, workers, progress, shown)
        return
    from dl_driver.report.folder import check_writable
    from dl_driver.report.stored import results_at
    from dl_driver.run.experiment import RunOptions

    if results == "":
        raise ConfigError([Problem("--results", "expected a folder or the URI of one, found an empty text")])
    place = results or loaded.workload.output.folder
    alone = place is None
    place = place or _default_place(loaded)
    wanted = (report_format or ReportFormat.JSON) if mlperf or report_format else None
    with results_at(place, _settings_at(place, loaded), alone=alone) as folder:
        places = _Places(folder, loaded.workload.output.log_file, wanted, output)
        if output is not None:
            check_writable(output)
        _generate(loaded, workers, progress, shown)
        if verbose:
            shown.note(f"reading {loaded.workload.data_uri} for {accelerators} accelerator(s)")
        options = RunOptions(accelerators, max_steps, max_epochs)
        done = _experiment(loaded, options, shown, places)
    print(f"results: {folder if alone else place}", file=sys.stderr)
    if not done:
        raise typer.Exit(1)


def _load(
    arguments: list[str] | None, config: str | None, env_file: str | None, overrides: list[str]
) -> "LoadedWorkload":
    from dl_driver.config import load

    source, given = split_config(arguments, config)
    loaded = load(source, [*given, *overrides], env_file=env_file)
    for warning in loaded.warnings:
        print(f"dl-driver: warning: {warning}", file=sys.stderr)
    return loaded


def _print_config(loaded: "LoadedWorkload") -> None:
    import yaml

    from dl_driver.config.secrets import without_secrets

    print(yaml.safe_dump(without_secrets(loaded.composed), sort_keys=False), end="")


def _default_place(loaded: "LoadedWorkload") -> str:
    return f"results/{as_file_name(loaded.workload.name)}/{datetime.now():%Y%m%d_%H%M%S}"


def as_file_name(name: str) -> str:
    """A workload's name as one part of a path, so that no name leads out of the results folder."""
    part = re.sub(r"[/\0]", "_", name)
    return part if part.strip(".") else "workload"


def _settings_at(place: str, loaded: "LoadedWorkload") -> "StorageSettings":
    """How the results' storage is used: as the data's where it is of the same kind, else as the environment says."""
    from dl_driver.run.feeds import storage_settings
    from dl_driver.storage.base import StorageSettings

    same = place.partition("://")[0] == loaded.workload.data_uri.partition("://")[0]
    return storage_settings(loaded.workload, 1) if same else StorageSettings()


def _generates_only(loaded: "LoadedWorkload") -> bool:
    flow = loaded.workload.workflow
    return flow.generate_data and not (flow.train or flow.evaluation or flow.checkpoint)


def _generate(loaded: "LoadedWorkload", workers: int | None, style: ProgressStyle, shown: Progress) -> None:
    """Generate where the workload says so."""
    if not loaded.workload.workflow.generate_data:
        return
    from dl_driver.run.generating import generate_data_set

    files = Progress(style, "generating files")
    report = generate_data_set(loaded.workload, skip_existing=True, workers=workers, progress=files.update)
    shown.note(f"generated {report.files:,} files, {report.bytes / 2**20:,.1f} MiB; {report.skipped:,} were there")


def _experiment(loaded: "LoadedWorkload", options: "RunOptions", shown: Progress, places: "_Places") -> bool:
    """Run it and have it reported; whether it ran to its end and met its target."""
    from dl_driver.report.facts import workload_facts
    from dl_driver.report.summary import summarize
    from dl_driver.run.accelerators import StopRequest
    from dl_driver.run.experiment import Experiment, Observer
    from dl_driver.run.plugins import Plugins

    stop, plugins, facts = StopRequest(), Plugins.discover(), workload_facts(loaded)

    def block_ends(block: Any) -> None:
        seconds = block.duration_ns / 1e9
        shown.note(f"epoch {block.epoch} {block.phase.value}: {block.steps} steps in {seconds:.2f} s")

    observer = Observer(block_ends=block_ends)
    with _stop_when_asked(stop):
        record = Experiment(loaded.workload, options, plugins=plugins, observer=observer, stop=stop).run()
        summary = summarize(record, facts)
        _report(places, record, summary, facts)
        plugins.finalize(summary)
    return not record.partial and summary.target_met is not False


@contextmanager
def _stop_when_asked(stop: "StopRequest") -> Iterator[None]:
    """The first request (Ctrl-C, a scheduler's SIGTERM) ends the run at the step's end; the next one at once."""
    from dl_driver.processes import STOP_REQUESTS

    asked_at = 0.0

    def ask(number: int, frame: object) -> None:
        nonlocal asked_at
        reason = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
        if stop.reason is not None:
            if monotonic() - asked_at < ONE_REQUEST_S:
                return
            raise KeyboardInterrupt(f"{reason} before the step's end, no results were written")
        stop.reason, asked_at = reason, monotonic()
        # Not print: the signal may have come in the middle of one.
        with suppress(OSError):
            os.write(2, b"dl-driver: stopping at the step's end; once more stops at once, without results\n")

    # What is ignored by nohup stays so.
    wanted = [number for number in STOP_REQUESTS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(places: _Places, record: "RunRecord", summary: "Summary", facts: "WorkloadFacts") -> None:
    """Into the results folder and to the terminal; to the terminal even where the folder has no room left."""
    from dl_driver.report.folder import write_results

    try:
        write_results(places.folder, record, summary, facts, places.log_file)
    finally:
        _print(places, record, summary, facts)


def _print(places: _Places, record: "RunRecord", summary: "Summary", facts: "WorkloadFacts") -> None:
    """The report alone on stdout where one is asked for, else the summary."""
    from dl_driver.report.mlperf import report_csv, report_json

    make = report_csv if places.report_format is ReportFormat.CSV else report_json
    if places.output is not None:
        from dl_driver.report.folder import write_text

        write_text(places.output, [make(record, summary, facts)])
    elif places.report_format is not None:
        print(make(record, summary, facts), end="")
        return
    from rich.console import Console

    from dl_driver.report.console import console_summary

    console = Console(stderr=places.report_format is not None, highlight=False, soft_wrap=True)
    console.print(console_summary(record, summary, facts))
