# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""AU and throughput of a block, worked out by hand."""

from datetime import datetime

import numpy as np
import pytest

from dl_driver.metrics.record import Block, Phase, StepStamps
from dl_driver.report.summary import block_figures

_MS = 1_000_000
_NOON = datetime(2026, 11, 24, 12)


def _block(waits_ms, compute_ms):
    """One accelerator; 4 samples and 1000 bytes a step."""
    steps = len(waits_ms)
    wait = np.array(waits_ms, np.int64)[:, None] * _MS
    compute = np.full((steps, 1), compute_ms * _MS, np.int64)
    none = np.zeros((steps, 1), np.int64)
    stamps = StepStamps(wait, compute, none, none + 4, none + 1000, none, none)
    return Block(Phase.TRAIN, 1, 1, _NOON, _NOON, int(wait.sum() + compute.sum()), steps, stamps)


def test_batches_read_while_the_excluded_step_waited_do_not_raise_the_throughput():
    figures = block_figures(_block([92, 0, 0, 0], 2), 1, 0)
    assert figures.au_percent == pytest.approx((100.0,))
    assert figures.samples_per_second == pytest.approx((16 / 0.1,))
    assert figures.bytes_per_second == pytest.approx((4000 / 0.1,))


def test_a_block_of_excluded_steps_alone_has_a_throughput_and_no_au():
    figures = block_figures(_block([8], 2), 1, 0)
    assert figures.au_percent is None
    assert figures.samples_per_second == pytest.approx((400.0,))
