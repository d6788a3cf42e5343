# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The terminal summary: figures worked out by hand, 80 columns, no stray spaces."""

import itertools
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from dl_driver.metrics.histogram import Histogram
from dl_driver.metrics.record import (
    Block,
    Epoch,
    HostFacts,
    Latencies,
    LoaderFacts,
    Phase,
    RunRecord,
    StepStamps,
)
from dl_driver.report.console import console_summary
from dl_driver.report.facts import WorkloadFacts
from dl_driver.report.summary import summarize

_MS = 1_000_000
_NOON = datetime(2026, 11, 24, 12)


def _block(phase, steps, wait_ms):
    """Steps of 30 ms of computing after a wait; 4 samples of 1 MiB each; one accelerator."""

    def all_steps(value):
        return np.full((steps, 1), value, np.int64)

    stamps = StepStamps(
        wait_ns=all_steps(wait_ms * _MS),
        compute_ns=all_steps(30 * _MS),
        barrier_ns=all_steps(0),
        samples=all_steps(4),
        bytes=all_steps(4 << 20),
        decode_ns=all_steps(_MS),
        end_ns=all_steps(0),
    )
    return Block(phase, 1, 1, _NOON, _NOON, steps * (30 + wait_ms) * _MS, steps, stamps)


def _record(wait_ms=10, warnings=(), partial=None):
    blocks = (_block(Phase.TRAIN, 11, wait_ms), _block(Phase.EVALUATE, 3, 70))
    read = Histogram()
    read.record(np.array([2 * _MS]))
    return RunRecord(
        run_id="1",
        start=_NOON,
        end=_NOON,
        duration_ns=0,
        accelerators=1,
        epochs=[Epoch(1, _NOON, _NOON, 0, blocks)],
        latencies=Latencies(read, None, None, None, None),
        access_order=None,
        host=HostFacts("host", 2, "x86_64", {}, {}, 1 << 30, "6", "3"),
        loader=LoaderFacts("io_uring", 1, 16, 16, 16, True, 56, 0, None, None),
        partial=partial,
        warnings=warnings,
        peak_memory_bytes=None,
        files_read=44,
        errors=0,
    )


@pytest.fixture
def facts():
    return WorkloadFacts(
        "demo", "demo", "pytorch", "npz", "file:///data", 4, 4, 2, 44, 12, 1, 1 << 20, 1, 1, True, 0.7, 1, 0,
        {}, {}, {}, "0",
    )  # fmt: skip


def _shown(record, facts):
    return console_summary(record, summarize(record, facts), facts).plain


def test_figures(facts):
    """The window is 10 steps of 40 ms: 75 % of them computing, 4 samples and 4 MiB each."""
    shown = _shown(_record(), facts)
    assert "Training: AU 75.00 %, threshold 70 % reached; 100.0 samples/s, 100.0 MiB/s" in shown
    assert "Evaluation: AU 30.00 %; 40.0 samples/s, 40.0 MiB/s" in shown
    assert "    1  training       11     0.44      100.0  100.0  75.00" in shown
    assert "computing          75.0 %  " + "#" * 30 + "\n" in shown
    assert shown.endswith("The storage kept the accelerators busy.")


def test_only_the_phase_that_decides_has_a_verdict(facts):
    shown = _shown(_record(wait_ms=60), facts)
    assert shown.count("missed") == 1
    assert "did not keep the accelerators busy" in shown


def test_without_storage_the_machine_is_to_blame(facts):
    shown = _shown(_record(wait_ms=60), replace(facts, data_uri="null://"))
    assert "There was no storage to wait for" in shown


def test_layout(facts):
    warning = "64 of 64 reads went through the page cache although direct I/O was asked for: the file system does not"
    lines = _shown(_record(warnings=(warning,), partial="interrupted"), facts).splitlines()
    assert lines == [line.rstrip() for line in lines]
    assert max(map(len, lines)) <= 80
    assert not any(first == second == "" for first, second in itertools.pairwise(lines))
    assert "Partial: interrupted" in lines
    assert "1 worker process" in lines[2]
    assert "16 readers, 16 reads in flight, 16 batches ahead (deeper than DLIO)" in lines[3]


def test_a_run_without_a_step_has_no_empty_table(facts):
    shown = _shown(replace(_record(partial="interrupted"), epochs=[]), facts)
    assert "epoch" not in shown
    assert shown.endswith("Too few steps to say whether the data came in time.\nPartial: interrupted")
