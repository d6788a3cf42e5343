# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary for a terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dl_driver.metrics.histogram import Histogram
from dl_driver.metrics.record import Phase, RunRecord
from dl_driver.report.facts import WorkloadFacts
from dl_driver.report.summary import PhaseFigures, Summary, TimeShares, block_figures

_BAR = 40


def console_summary(record: RunRecord, summary: Summary, facts: WorkloadFacts) -> RenderableType:
    """What a run came to, for 80 columns, with or without colour."""
    parts: list[RenderableType] = [_title(record, facts), _epochs(record, facts)]
    for label, phase in (("Training", summary.training), ("Evaluation", summary.evaluation)):
        if phase is not None:
            parts.append(_phase(label, phase, facts))
    if summary.shares is not None:
        parts.append(_shares(summary.shares))
    parts.append(_latencies(record))
    parts.append(Text(_conclusion(summary, record)))
    parts += [Text(f"Warning: {warning}", style="yellow") for warning in record.warnings]
    if record.partial:
        parts.append(Text(f"Partial: {record.partial}", style="bold yellow"))
    return Group(*parts)


def _title(record: RunRecord, facts: WorkloadFacts) -> Text:
    loader = record.loader
    depth = "deeper than DLIO's" if loader.deeper_than_dlio else "as DLIO"
    return Text(
        f"\n{facts.name}: {record.accelerators} accelerator(s), {facts.format} from {facts.data_uri}\n"
        f"{loader.engine}, {loader.workers} worker(s); each accelerator: {loader.readers} reader(s), "
        f"{loader.max_inflight} read(s) in flight, {loader.outstanding_batches} batches outstanding ({depth})\n"
    )


def _epochs(record: RunRecord, facts: WorkloadFacts) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("epoch", "phase", "steps", "seconds", "samples/s", "MiB/s", "AU %"):
        table.add_column(name, justify="left" if name == "phase" else "right")
    for epoch in record.epochs:
        for block in epoch.blocks:
            figures = block_figures(block, facts.exclude_start_steps, facts.exclude_end_steps)
            au, rate, volume = figures.au_percent, figures.samples_per_second, figures.bytes_per_second
            table.add_row(
                str(epoch.number),
                "training" if block.phase is Phase.TRAIN else "evaluation",
                str(block.steps),
                f"{block.duration_ns / 1e9:.2f}",
                "-" if rate is None else f"{sum(rate):,.1f}",
                "-" if volume is None else f"{sum(volume) / 2**20:,.1f}",
                "-" if au is None else f"{sum(au) / len(au):.2f}",
            )
    return table


def _phase(label: str, phase: PhaseFigures, facts: WorkloadFacts) -> Text:
    if phase.au_mean is None or phase.samples_mean is None or phase.bytes_mean is None:
        return Text(f"\n{label}: too few steps to measure")
    verdict = "reached" if phase.target_met else "missed"
    return Text(
        f"\n{label}: AU {phase.au_mean:.2f} %, threshold {facts.au_threshold * 100:g} % {verdict};"
        f" {phase.samples_mean:,.1f} samples/s, {phase.bytes_mean / 2**20:,.1f} MiB/s",
        style="bold green" if phase.target_met else "bold red",
    )


def _shares(shares: TimeShares) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, title="\nWhere the time went", title_justify="left")
    rows = (("computing", shares.computing), ("waiting for data", shares.waiting), ("barrier", shares.barrier))
    for name, share in rows:
        table.add_row(name, f"{share * 100:5.1f} %", "#" * round(share * _BAR))
    table.add_row("decoding", f"{shares.decode_s:5.2f} s", "in the workers, beside the above")
    return table


def _latencies(record: RunRecord) -> Table:
    table = Table(box=None, pad_edge=False, title="\nLatency (ms)", title_justify="left")
    for name in ("", "p50", "p95", "p99", "max"):
        table.add_column(name, justify="right" if name else "left")
    found = record.latencies
    rows = (("read", found.read), ("first byte", found.first_byte), ("decode", found.decode), ("wait", found.batch))
    for name, histogram in rows:
        if histogram is not None and histogram.count:
            table.add_row(name, *_milliseconds(histogram))
    return table


def _milliseconds(histogram: Histogram) -> list[str]:
    values = [histogram.percentile(percent) for percent in (50, 95, 99)] + [histogram.max]
    return ["-" if value is None else f"{value / 1e6:,.3f}" for value in values]


def _conclusion(summary: Summary, record: RunRecord) -> str:
    shares = summary.shares
    if shares is None or summary.target_met is None:
        return "\nToo few steps to say whether the data came in time.\n"
    if summary.target_met:
        return "\nThe storage kept the accelerators busy.\n"
    decoding = shares.decode_s / max(1, record.loader.workers)
    if decoding > 0.5 * summary.training_s:
        return "\nDecoding in the workers, not the storage, held the accelerators.\n"
    return "\nThe storage, read in this way, did not keep the accelerators busy.\n"
