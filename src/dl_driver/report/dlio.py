# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""dlio_benchmark's result files: summary.json, {rank}_output.json, {rank}_per_epoch_stats.json and dlio.log's lines.

One rank an accelerator. Units and key names are DLIO's ("MB" is MiB); what cannot be computed is null.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np

from dl_driver.metrics.record import Block, Epoch, Phase, RunRecord
from dl_driver.report.facts import WorkloadFacts
from dl_driver.report.summary import PhaseFigures, Summary, block_figures

_MIB = 2**20


def timestamp(moment: datetime) -> str:
    """Local time, microseconds always."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")


def summary_json(record: RunRecord, summary: Summary, facts: WorkloadFacts) -> str:
    """summary.json."""
    host = record.host
    data_bytes = facts.num_files_train * facts.samples_per_file * facts.record_length_bytes
    content = {
        "start": timestamp(record.start),
        "num_accelerators": record.accelerators,
        "num_hosts": 1,
        "hostname": host.hostname,
        "metric": _metric("train", summary.training) | _metric("eval", summary.evaluation),
        "num_files_train": facts.num_files_train,
        "num_files_eval": facts.num_files_eval,
        "num_samples_per_file": facts.samples_per_file,
        "host_cpu_count": [host.cpu_count],
        "host_processor_name": host.processor_name,
        "potential_caching": [_potential_caching(data_bytes, host.memory_bytes)],
        "host_cpuinfo": dict(host.cpuinfo),
        "host_meminfo": dict(host.meminfo),
        "host_memory_GB": [host.memory_bytes / 2**30],
        "data_size_per_host_GB": data_bytes / 2**30,
        "epochs": len(record.epochs),
        "end": timestamp(record.end),
    }
    return json.dumps(content, indent=1)


def output_json(record: RunRecord, facts: WorkloadFacts, rank: int) -> Iterator[str]:
    """{rank}_output.json, an epoch at a time."""
    host = record.host
    head = {
        "host_memory_GB": host.memory_bytes / 2**30,
        "host_cpu_count": host.cpu_count,
        "host_processor_name": host.processor_name,
        "potential_caching": _potential_caching(
            facts.num_files_train * facts.samples_per_file * facts.record_length_bytes, host.memory_bytes
        ),
        "host_cpuinfo": dict(host.cpuinfo),
        "host_meminfo": dict(host.meminfo),
    }
    yield json.dumps(head)[:-1]
    for epoch in record.epochs:
        yield f', "{epoch.number}": ' + json.dumps(_epoch_output(epoch, facts, rank))
    yield f', "hostname": {json.dumps(host.hostname)}}}'


def per_epoch_stats_json(record: RunRecord) -> str:
    """{rank}_per_epoch_stats.json; the same for every rank, since all meet at each barrier."""
    content: dict[str, Any] = {}
    for epoch in record.epochs:
        stats: dict[str, Any] = {"start": timestamp(epoch.start)}
        for block in epoch.blocks:
            stats[_name(block)] = {
                "start": timestamp(block.start),
                "end": timestamp(block.end),
                "duration": f"{block.duration_ns / 1e9:.2f}",
            }
        stats |= {"end": timestamp(epoch.end), "duration": f"{epoch.train_duration_ns / 1e9:.2f}"}
        content[str(epoch.number)] = stats
    return json.dumps(content, indent=4)


def log_lines(record: RunRecord, summary: Summary, facts: WorkloadFacts) -> Iterator[str]:
    """dlio.log."""
    flows = ["Training"] if summary.training else []
    flows += ["Evaluation"] if summary.evaluation else []
    yield _output(record.start, f"Running DLIO [{' & '.join(flows)}] with {record.accelerators} process(es)")
    steps = facts.samples_per_file * facts.num_files_train // facts.batch_size // record.accelerators
    yield _output(
        record.start,
        f"Max steps per epoch: {steps} = {facts.samples_per_file} * {facts.num_files_train} / {facts.batch_size} /"
        f" {record.accelerators} (samples per file * num files / batch size / comm size)",
    )
    for epoch in record.epochs:
        yield from _epoch_lines(epoch, facts)
    yield "[OUTPUT] Averaged metric over all steps/epochs"
    yield from metric_lines(record, summary)


def metric_lines(record: RunRecord, summary: Summary) -> Iterator[str]:
    """The closing block of dlio.log."""
    yield "[METRIC] " + "=" * 58
    yield f"[METRIC] Number of Simulated Accelerators: {record.accelerators}"
    for phase, label, prefix in ((summary.training, "Training", "train"), (summary.evaluation, "Eval", "eval")):
        if phase is None:
            continue
        volume = [value / _MIB for value in phase.bytes_per_second]
        if phase.au_mean is not None:
            yield f"[METRIC] {label} Accelerator Utilization [AU] (%): {phase.au_mean:.4f} ({phase.au_stdev:.4f})"
        yield (
            f"[METRIC] {label} Throughput (samples/second): {phase.samples_mean:.4f}"
            f" ({np.std(phase.samples_per_second):.4f})"
        )
        io = "I/O Throughput" if prefix == "train" else "Throughput"
        yield f"[METRIC] {label} {io} (MB/second): {np.mean(volume):.4f} ({np.std(volume):.4f})"
        if phase.au_mean is not None:
            yield f"[METRIC] {prefix}_au_meet_expectation: {_verdict(phase)}"
    yield "[METRIC] " + "=" * 58


def _epoch_lines(epoch: Epoch, facts: WorkloadFacts) -> Iterator[str]:
    for block in epoch.blocks:
        figures = block_figures(block, facts.exclude_start_steps, facts.exclude_end_steps)
        au = None if figures.au_percent is None else float(np.mean(figures.au_percent))
        rate = float(np.sum(figures.samples_per_second))
        seconds = block.duration_ns / 1e9
        if block.phase is Phase.EVALUATE:
            yield _output(block.start, f"Starting eval - {block.steps_expected} steps expected")
            yield _output(block.end, f"Ending eval - {block.steps} steps completed in {seconds:.2f} s")
            where = f"Epoch {epoch.number} [Eval]"
        else:
            yield _output(block.start, f"Starting epoch {epoch.number}: {block.steps_expected} steps expected")
            yield _output(block.start, f"Starting block {block.number}")
            yield _output(block.end, f"Ending block {block.number} - {block.steps} steps completed in {seconds:.2f} s")
            where = f"Epoch {epoch.number} - Block {block.number} [Training]"
        if au is not None:
            yield _output(block.end, f"{where} Accelerator Utilization [AU] (%): {au:.4f}")
        if block.steps:
            yield _output(block.end, f"{where} Throughput (samples/second): {rate:.4f}")
        if block.phase is Phase.TRAIN and block.steps:
            compute = block.stamps.compute_ns / 1e9
            yield _output(
                block.end,
                f"{where} Computation time per step (second): {compute.mean():.4f}+/-{compute.std():.4f}"
                f" (set value: {dict(facts.computation_time)})",
            )
            yield _output(block.end, f"Ending epoch {epoch.number} - {block.steps} steps completed in {seconds:.2f} s")


def _metric(prefix: str, phase: PhaseFigures | None) -> dict[str, Any]:
    if phase is None:
        return {}
    volume = [value / _MIB for value in phase.bytes_per_second]
    return {
        f"{prefix}_au_percentage": list(phase.au_percent),
        f"{prefix}_au_mean_percentage": phase.au_mean,
        f"{prefix}_au_meet_expectation": _verdict(phase),
        f"{prefix}_au_stdev_percentage": phase.au_stdev,
        f"{prefix}_throughput_samples_per_second": list(phase.samples_per_second),
        f"{prefix}_throughput_mean_samples_per_second": phase.samples_mean,
        f"{prefix}_throughput_stdev_samples_per_second": _std(phase.samples_per_second),
        f"{prefix}_io_mean_MB_per_second": float(np.mean(volume)) if volume else None,
        f"{prefix}_io_stdev_MB_per_second": _std(volume),
    }


def _epoch_output(epoch: Epoch, facts: WorkloadFacts, rank: int) -> dict[str, Any]:
    content: dict[str, Any] = {name: {} for name in ("load", "proc", "throughput", "au", "compute")}
    for block in epoch.blocks:
        name, stamps = _name(block), block.stamps
        wait, compute = stamps.wait_ns[:, rank] / 1e9, stamps.compute_ns[:, rank] / 1e9
        figures = block_figures(block, facts.exclude_start_steps, facts.exclude_end_steps)
        content["load"][name] = wait.tolist()
        content["proc"][name] = (wait + compute).tolist()
        content["throughput"][name] = figures.samples_per_second[rank]
        content["au"][name] = figures.au_percent[rank] if figures.au_percent else None
        content["compute"][name] = compute.tolist()
    return content | {"host_meminfo": dict(epoch.host_meminfo), "end": timestamp(epoch.end)}


def _name(block: Block) -> str:
    return "eval" if block.phase is Phase.EVALUATE else f"block{block.number}"


def _verdict(phase: PhaseFigures) -> str | None:
    return None if phase.target_met is None else "success" if phase.target_met else "fail"


def _potential_caching(data_bytes: float, memory_bytes: int) -> int:
    """1 where the host's memory could hold its share of the data."""
    return int(data_bytes <= memory_bytes)


def _output(moment: datetime, text: str) -> str:
    return f"[OUTPUT] {timestamp(moment)} {text}"


def _std(values: "list[float] | tuple[float, ...]") -> float | None:
    return float(np.std(values)) if values else None
