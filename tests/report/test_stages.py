# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workers' time divided into stages, with numbers worked out by hand, and what follows from it in words."""

from dataclasses import astuple, replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dl_driver.metrics.record import HostFacts, Latencies, LoaderFacts, RunRecord
from dl_driver.metrics.stages import StageTotals, total_of
from dl_driver.report.held import held_in_numbers
from dl_driver.report.stages import Stage, StageTimes, derive
from dl_driver.report.summary import PhaseFigures, Summary

_S = 10**9
_NOON = datetime(2026, 11, 24, 12)
_MISSED = PhaseFigures((50.0,), (1.0,), (1.0,), target_met=False)
_REACHED = PhaseFigures((99.0,), (1.0,), (1.0,), target_met=True)


def test_totals_add_and_subtract():
    one, other = StageTotals(*range(1, 11)), StageTotals(*range(101, 111))
    assert astuple(total_of([one, other])) == tuple(range(102, 122, 2))
    assert astuple(other - one) == (100,) * 10


def test_an_engine_that_works_in_its_wait():
    """10 s: 6 s in the wait for reads, 1 s full, 2 s decoding of which three quarters on a CPU, so 1 s is left for all
    else. Of 4 s on a CPU, 1.5 s are decoding's: reading took 2.5 s, 1 s of it outside the wait, so 1.5 s in there."""
    times = derive(
        StageTotals(
            wall_ns=10 * _S, cpu_ns=4 * _S, wait_read_ns=6 * _S, wait_place_ns=_S, decode_ns=2 * _S,
            sampled_ns=400, sampled_cpu_ns=300,
        )
    )  # fmt: skip
    assert astuple(times) == (10.0, 4.5, 2.5, 2.0, 1.5, 0.0, 0.0, 1.0, 0.0, 0.0)


def test_a_worker_that_had_to_wait_for_a_core():
    """10 s: 1 s in the wait for reads, 6 s decoding and 1 s copying, half of it on a CPU, so 2 s for all else. Of 4 s
    on a CPU, 3.5 s are theirs and 0.5 s reading's; 1.5 s are left over, in which it got no core."""
    times = derive(
        StageTotals(
            wall_ns=10 * _S, cpu_ns=4 * _S, wait_read_ns=_S, decode_ns=6 * _S, copy_ns=_S, sampled_ns=2,
            sampled_cpu_ns=1,
        )
    )  # fmt: skip
    assert astuple(times) == (10.0, 1.0, 0.5, 6.0, 3.0, 1.0, 0.0, 0.0, 0.0, 1.5)
    assert times.held_by is Stage.DECODE


def test_without_a_sample_decoding_on_a_cpu_is_unknown():
    times = derive(StageTotals(wall_ns=3 * _S, cpu_ns=2 * _S, wait_idle_ns=_S, decode_ns=_S))
    assert times.decode_cpu_s is None
    assert times.read_cpu_s == times.decode_s == times.idle_s == 1.0


@given(st.lists(st.integers(0, 10**12), min_size=7, max_size=7), st.integers(0, 10**13), st.floats(0, 1))
def test_stages_always_fill_the_workers_time(parts, cpu_ns, on_cpu):
    read, preprocess, place, idle, decode, copy, rest = parts
    times = derive(
        StageTotals(
            sum(parts), cpu_ns, read, preprocess, place, idle, decode, copy, 10**6, int(on_cpu * 10**6)
        )
    )  # fmt: skip
    stages = (
        times.read_wait_s, times.read_cpu_s, times.decode_s, times.copy_s, times.preprocess_s, times.full_s,
        times.idle_s, times.other_s,
    )  # fmt: skip
    assert sum(stages) == pytest.approx(times.worker_s, abs=1e-6)
    assert min(stages) >= -1e-6
    assert rest >= 0


_NOTHING = StageTimes(10.0, *[0.0] * 9)


@pytest.mark.parametrize(
    ("took", "stage"),
    [
        ({"read_wait_s": 4.0, "decode_s": 2.0, "read_cpu_s": 1.0, "preprocess_s": 3.0}, Stage.STORAGE),
        # No part of the work took as long as the wait, but all of it together did.
        ({"read_wait_s": 4.0, "decode_s": 3.0, "read_cpu_s": 1.5, "copy_s": 0.5}, Stage.DECODE),
        ({"read_wait_s": 2.0, "decode_s": 1.0, "read_cpu_s": 1.5, "copy_s": 0.5}, Stage.READING),
        ({"copy_s": 3.0, "decode_s": 1.0}, Stage.COPY),
        ({"preprocess_s": 3.0, "read_wait_s": 2.0, "decode_s": 2.0}, Stage.PREPROCESS),
        # What workers could not hand over says nothing about why accelerators waited at other times.
        ({"full_s": 7.0, "idle_s": 1.0, "read_wait_s": 1.5, "decode_s": 0.5}, Stage.STORAGE),
        ({"full_s": 10.0}, None),
    ],
)
def test_what_held_the_accelerators(took, stage):
    assert replace(_NOTHING, **took).held_by is stage


def _said(times, *, workers=2, readers=4, cores=2, training=_MISSED):
    record = RunRecord(
        "1", _NOON, _NOON, 0, 1, [], Latencies(None, None, None, None, None), None,
        HostFacts("host", cores, "x86_64", {}, {}, 1 << 30, "6", "3"),
        LoaderFacts("io_uring", workers, readers, 4, 4, False, 1, 0, None, None),
        None, (), None, 0, 0,
    )  # fmt: skip
    return held_in_numbers(Summary(training, None, None, 0, 0, 0, 1.0, times), record)


def test_numbers_are_in_workers():
    """9 of 10 s of two workers are 1.8 of 2; 6 s are 1.2."""
    said = _said(replace(_NOTHING, decode_s=9.0, decode_cpu_s=6.0))
    assert said.startswith(" Decoding took 1.8 of 2 workers' time (1.2 on a CPU). Each of the 2 cores has its worker")
    assert "reader.decode=none" in said


def test_advice_follows_from_what_is_scarce():
    decoding, storage = replace(_NOTHING, decode_s=9.0), replace(_NOTHING, read_wait_s=9.0, full_s=0.5)
    assert "More workers (reader.workers) would help; there are 8 cores" in _said(decoding, cores=8)
    assert "takes more readers (reader.read_threads)" in _said(decoding, workers=2, readers=2, cores=8)
    assert "Waiting for it took 1.8 of 2 workers' time. More reads at a time" in _said(storage)
    assert "preprocess_time took 1.8 of 2" in _said(replace(_NOTHING, preprocess_s=9.0))


def test_a_lack_of_cores_is_told():
    said = _said(replace(_NOTHING, decode_s=3.0, decode_cpu_s=None, other_s=6.0))
    assert "Decoding took 0.6 of 2 workers' time; for 1.2 more, workers had something to do and no core" in said


def test_batches_that_nobody_took_are_told():
    said = _said(replace(_NOTHING, full_s=6.0, read_wait_s=4.0))
    assert "Waiting for it took 0.8 of 2 workers' time; for 1.2, batches lay ready" in said


def test_nothing_is_said_where_nothing_held_or_nothing_was_measured():
    assert _said(replace(_NOTHING, decode_s=9.0), training=_REACHED) == ""
    assert _said(None) == ""
