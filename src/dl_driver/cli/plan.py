# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``dl-driver plan``: what a run will need and do, before anything is read or written."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dl_driver.cli.options import ConfigArguments, ConfigOption, EnvFileOption, JsonOption, load_workload
from dl_driver.cli.tables import pairs
from dl_driver.errors import ConfigError, Problem

if TYPE_CHECKING:
    from dl_driver.config import LoadedWorkload
    from dl_driver.config.demand import Demand
    from dl_driver.run.planning import RunPlan, SplitPlan


def plan(
    arguments: ConfigArguments = None,
    config: ConfigOption = None,
    env_file: EnvFileOption = None,
    accelerators: Annotated[int, typer.Option(min=1, metavar="N", help="Emulated accelerators, all hosts.")] = 1,
    hosts: Annotated[int, typer.Option(min=1, metavar="N", help="Hosts that share them.")] = 1,
    host_memory: Annotated[
        str | None, typer.Option("--host-memory", metavar="SIZE", help="Memory of each host, such as 512GiB.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say what a workload will need, before anything is read or written.

    That is files, bytes and steps, memory and bandwidth, and the smallest data set that MLPerf Storage accepts.
    """
    from dl_driver.run.planning import plan_run

    memory = _bytes(host_memory)
    loaded = load_workload(arguments, config, env_file)
    _refuse_without_data(loaded)
    made = plan_run(loaded.workload, accelerators, hosts, memory)
    if json:
        from json import dumps

        print(dumps(_as_json(loaded, made), indent=2))
        return
    print(pairs(_as_text(loaded, made)))


def _refuse_without_data(loaded: "LoadedWorkload") -> None:
    """A workload of checkpoints alone has no data set."""
    flow = loaded.workload.workflow
    if not (flow.train or flow.generate_data):
        message = (
            "the workload neither trains nor generates data, so there is no data set to plan; expected one of these"
        )
        raise ConfigError([Problem("workflow", message, loaded.source)])


def _bytes(size: str | None) -> int | None:
    from dl_driver.config.sizes import parse_size

    try:
        return None if size is None else parse_size(size)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--host-memory") from error


def _as_json(loaded: "LoadedWorkload", made: "RunPlan") -> dict[str, Any]:
    workload = loaded.workload
    first, memory, wanted = made.first_file, made.memory, made.demand
    files = (made.train.file_bytes, made.evaluation.file_bytes)
    return {
        "workload": workload.name,
        "source": loaded.source,
        "data_uri": workload.data_uri,
        "format": workload.dataset.format.value,
        "accelerators": made.accelerators,
        "hosts": made.hosts,
        "num_files": made.train.num_files + made.evaluation.num_files,
        "payload_bytes": made.train.payload_bytes + made.evaluation.payload_bytes,
        "file_bytes": None if files[0] is None or files[1] is None else files[0] + files[1],
        "first_file": None
        if first is None
        else {"key": first.key, "dims": list(first.dims), "dtype": first.dtype, "size_bytes": first.size},
        "train": _split_json(made.train),
        "evaluation": _split_json(made.evaluation),
        "epochs": made.epochs,
        "steps_per_epoch": made.steps_per_epoch,
        "epoch_compute_seconds": made.epoch_seconds,
        "au_threshold": made.au_threshold,
        "demand": None if wanted is None else _demand_json(wanted, made.accelerators, made.au_threshold),
        "memory_per_host": None
        if memory is None
        else {
            "total_bytes": memory.total_bytes,
            "batches_bytes": memory.batches_bytes,
            "buffers_bytes": memory.buffers_bytes,
            "workers": memory.workers,
        },
        "mlperf_minimum": {
            "num_files_train": made.mlperf.num_files,
            "by_steps": made.mlperf.by_steps,
            "by_memory": made.mlperf.by_memory,
            "bytes": made.mlperf.bytes,
            "enough": made.mlperf.enough,
        },
    }


def _split_json(split: "SplitPlan") -> dict[str, Any]:
    return {
        "num_files": split.num_files,
        "samples": split.samples,
        "payload_bytes": split.payload_bytes,
        "file_bytes": split.file_bytes,
        "batch_size": split.batch_size,
        "steps_per_epoch": split.steps,
    }


def _demand_json(one: "Demand", accelerators: int, threshold: float) -> dict[str, Any]:
    whole, least = one.at(1.0, accelerators), one.at(threshold, accelerators)
    return {
        "bytes_per_sample": one.bytes_per_sample,
        "samples_per_second": whole.samples_per_second,
        "MiB_per_second": whole.mib_per_second,
        "samples_per_second_at_au": least.samples_per_second,
        "MiB_per_second_at_au": least.mib_per_second,
    }


def _as_text(loaded: "LoadedWorkload", made: "RunPlan") -> list[tuple[str, str]]:
    from dl_driver.config.sizes import show_size

    workload = loaded.workload
    rows = [
        ("workload", f"{workload.name} ({loaded.source}), {_count(made.accelerators, 'accelerator')}"),
        ("data", f"{workload.data_uri} ({workload.dataset.format})"),
        *_split_text("training", made.train),
        *_split_text("evaluation", made.evaluation),
    ]
    if made.first_file is not None:
        shape = " x ".join(str(side) for side in made.first_file.dims)
        rows.append(("first file", f"{made.first_file.key}: {shape} {made.first_file.dtype}"))
    rows.append(("steps", f"{made.steps_per_epoch:,} an epoch, {_count(made.epochs, 'epoch')}"))
    rows.append(("compute", f"{made.epoch_seconds:,.4g} s an epoch at 100 %"))
    rows += _demand_text(made)
    if made.memory is not None:
        total, batches = show_size(made.memory.total_bytes), show_size(made.memory.batches_bytes)
        workers = _count(made.memory.workers, "worker process")
        rows.append(("memory a host", f"{total}, {batches} of it for batches; {workers}"))
    return [*rows, *_mlperf_text(made)]


def _split_text(name: str, split: "SplitPlan") -> list[tuple[str, str]]:
    from dl_driver.config.sizes import show_size

    if split.num_files == 0:
        return [(name, "no files")]
    counts = f"{_count(split.num_files, 'file')}, {_count(split.samples, 'sample')}"
    whole = "" if split.file_bytes is None else f"; as files {show_size(split.file_bytes)}"
    return [(name, counts), ("", f"{show_size(split.payload_bytes)} ({split.payload_bytes:,} bytes){whole}")]


def _demand_text(made: "RunPlan") -> list[tuple[str, str]]:
    if made.demand is None:
        return [("demand", "unbounded: a step takes no time")]
    rows = []
    for name, level in (("demand at 100 %", 1.0), (f"demand at {made.au_threshold:.0%}", made.au_threshold)):
        asked = made.demand.at(level, made.accelerators)
        rows.append((name, f"{asked.samples_per_second:,.2f} samples/s, {asked.mib_per_second:,.1f} MiB/s"))
    return rows


def _mlperf_text(made: "RunPlan") -> list[tuple[str, str]]:
    from dl_driver.config.sizes import show_size

    least = made.mlperf
    verdict = "enough here" if least.enough else "more than here"
    rows = [
        ("MLPerf's minimum", f"{_count(least.num_files, 'file')} ({show_size(least.bytes)}) to train on, {verdict}")
    ]
    return rows if least.by_memory is not None else [*rows, ("", "--host-memory SIZE adds the rule about memory")]


def _count(number: int, what: str) -> str:
    plural = what + ("es" if what.endswith("s") else "s")
    return f"{number:,} {what if number == 1 else plural}"
