# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary for a terminal: paragraphs of lines that fit 80 columns and end without spaces."""

import textwrap
from collections.abc import Iterator, Sequence

from rich.text import Text

from dl_driver.metrics.histogram import Histogram
from dl_driver.metrics.record import Block, Phase, RunRecord
from dl_driver.report.facts import WorkloadFacts
from dl_driver.report.held import HELD, held_in_numbers
from dl_driver.report.stages import Stage, StageTimes
from dl_driver.report.summary import PhaseFigures, Summary, TimeShares, block_figures

_BAR = 40
_WIDTH = 80
_NAMES = {Phase.TRAIN: "training", Phase.EVALUATE: "evaluation"}


def console_summary(record: RunRecord, summary: Summary, facts: WorkloadFacts) -> Text:
    """What a run came to, with or without colour; the verdict comes last, where the eye is."""
    paragraphs = [_title(record, facts), _epochs(record, facts)]
    if summary.shares is not None:
        paragraphs += [_shares(summary.shares), _workers(record, summary, facts)]
    paragraphs += [_latencies(record), _verdicts(summary, facts), _closing(record, summary, facts)]
    return Text("\n\n").join(paragraph for paragraph in paragraphs if paragraph.plain)


def _title(record: RunRecord, facts: WorkloadFacts) -> Text:
    loader = record.loader
    depth = "deeper than DLIO" if loader.deeper_than_dlio else "as DLIO"
    each = (
        f"{_count(loader.readers, 'reader')}, {_count(loader.max_inflight, 'read')} in flight,"
        f" {_count(loader.outstanding_batches, 'batch')} ahead ({depth})"
    )
    rows = (
        ("workload", f"{facts.name}, {_count(record.accelerators, 'accelerator')}"),
        ("data", f"{facts.data_uri} ({facts.format})"),
        ("reading", f"{loader.engine}, {_count(loader.workers, 'worker process')}"),
        ("", each),
    )
    return Text("\n".join(f"{name:<10}{value}" for name, value in rows))


def _epochs(record: RunRecord, facts: WorkloadFacts) -> Text:
    rows = [_epoch_row(block, facts) for epoch in record.epochs for block in epoch.blocks]
    if not rows:
        return Text("")
    return Text(_table(("epoch", "phase", "steps", "seconds", "samples/s", "MiB/s", "AU %"), rows, left=1))


def _epoch_row(block: Block, facts: WorkloadFacts) -> Sequence[str]:
    figures = block_figures(block, facts.exclude_start_steps, facts.exclude_end_steps)
    au, rate, volume = figures.au_percent, figures.samples_per_second, figures.bytes_per_second
    return (
        str(block.epoch),
        _NAMES[block.phase],
        f"{block.steps:,}",
        f"{block.duration_ns / 1e9:,.2f}",
        f"{sum(rate):,.1f}",
        f"{sum(volume) / 2**20:,.1f}",
        "-" if au is None else f"{sum(au) / len(au):.2f}",
    )


def _shares(shares: TimeShares) -> Text:
    rows = (("computing", shares.computing), ("waiting for data", shares.waiting), ("barrier", shares.barrier))
    lines = [f"{name:<16}  {share * 100:5.1f} %  {'#' * round(share * _BAR)}".rstrip() for name, share in rows]
    return Text("\n".join(("Where the accelerators' time went", *lines)))


def _workers(record: RunRecord, summary: Summary, facts: WorkloadFacts) -> Text:
    """The stages of each phase that took any time, and what the format counted."""
    phases = [("training", summary.training_stages), ("evaluation", summary.evaluation_stages)]
    measured = [(name, times) for name, times in phases if times is not None]
    counted = (f"{name}: {count:,}" for name, count in record.loader.decoding.items())
    lines = [line for line in counted if line not in record.warnings]
    if measured:
        heads = ["seconds of the workers", *(cell for name, _ in measured for cell in (name, "%"))]
        rows = [row for name, field in _STAGES if (row := _stage_row(name, field, [times for _, times in measured]))]
        lines = [_table(heads, rows, left=0), *lines]
    elif summary.shares is not None:
        lines = [f"decoding: {summary.shares.decode_s:,.2f} s", *lines]
    where = f"Where the workers' time went: {facts.format}, {_count(record.loader.workers, 'worker process')}"
    return Text("\n".join((where, *lines)))


_STAGES = (
    ("waiting for storage", "read_wait_s"),
    ("reading", "read_cpu_s"),
    ("decoding", "decode_s"),
    ("  of that on a CPU", "decode_cpu_s"),
    ("copying", "copy_s"),
    ("preprocessing", "preprocess_s"),
    ("batches not taken yet", "full_s"),
    ("nothing left to read", "idle_s"),
    ("no core to run on", "other_s"),
)


def _stage_row(name: str, field: str, phases: Sequence[StageTimes]) -> list[str]:
    """Seconds and their share of each phase; nothing where none comes to 0.1 %."""
    cells, shares = [name], []
    for times in phases:
        seconds = getattr(times, field)
        share = 0.0 if seconds is None else 100 * seconds / times.worker_s
        cells += ["-" if seconds is None else f"{seconds:,.2f}", "-" if seconds is None else f"{share:.1f}"]
        shares.append(share)
    return cells if max(shares) >= 0.1 else []


def _latencies(record: RunRecord) -> Text:
    found = record.latencies
    rows = (("read", found.read), ("first byte", found.first_byte), ("decode", found.decode), ("wait", found.batch))
    measured = [(name, *_milliseconds(histogram)) for name, histogram in rows if histogram and histogram.count]
    return Text(_table(("latency, ms", "p50", "p95", "p99", "max"), measured, left=0) if measured else "")


def _milliseconds(histogram: Histogram) -> list[str]:
    values = [histogram.percentile(percent) for percent in (50, 95, 99)] + [histogram.max]
    return ["-" if value is None else f"{value / 1e6:,.3f}" for value in values]


def _verdicts(summary: Summary, facts: WorkloadFacts) -> Text:
    """A line a phase. Only the phase that decides the exit status is held against the threshold."""
    lines = []
    for label, phase in (("Training", summary.training), ("Evaluation", summary.evaluation)):
        if phase is not None:
            lines.append(_phase(label, phase, facts, decides=label == "Training" or summary.training is None))
    return Text("\n").join(lines)


def _phase(label: str, phase: PhaseFigures, facts: WorkloadFacts, *, decides: bool) -> Text:
    rates = f"{phase.samples_mean:,.1f} samples/s, {phase.bytes_mean / 2**20:,.1f} MiB/s"
    if phase.au_mean is None:
        return Text(f"{label}: too few steps for an AU; {rates}")
    if not decides:
        return Text(f"{label}: AU {phase.au_mean:.2f} %; {rates}")
    verdict = "reached" if phase.target_met else "missed"
    return Text(
        f"{label}: AU {phase.au_mean:.2f} %, threshold {facts.au_threshold * 100:g} % {verdict}; {rates}",
        style="bold green" if phase.target_met else "bold red",
    )


def _closing(record: RunRecord, summary: Summary, facts: WorkloadFacts) -> Text:
    lines = [Text(textwrap.fill(_conclusion(summary, record, facts), _WIDTH))]
    lines += [Text(textwrap.fill(f"Warning: {warning}", _WIDTH), style="yellow") for warning in record.warnings]
    if record.partial:
        lines.append(Text(f"Partial: {record.partial}", style="bold yellow"))
    return Text("\n").join(lines)


def _conclusion(summary: Summary, record: RunRecord, facts: WorkloadFacts) -> str:
    if summary.shares is None or summary.target_met is None:
        return "Too few steps to say whether the data came in time."
    if facts.data_uri == "null://" or not record.loader.reads:
        if summary.target_met:
            return "There was no storage to wait for: this machine kept up."
        return (
            f"There was no storage to wait for: this machine itself did not keep up.{held_in_numbers(summary, record)}"
        )
    if summary.target_met:
        return "The storage kept the accelerators busy."
    return f"{HELD[summary.held_by or Stage.STORAGE]}{held_in_numbers(summary, record)}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """Columns two spaces apart, to the right but for the one numbered ``left``."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    return "\n".join("  ".join(_cells(row, widths, left)).rstrip() for row in (heads, *rows))


def _cells(row: Sequence[str], widths: Sequence[int], left: int) -> Iterator[str]:
    for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
        yield cell.ljust(width) if column == left else cell.rjust(width)


def _count(number: int, what: str) -> str:
    plural = what + ("es" if what.endswith(("s", "ch")) else "s")
    return f"{number:,} {what if number == 1 else plural}"
