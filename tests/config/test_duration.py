# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import re

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from dl_driver.config import Duration

WRITTEN = [
    (0.323, {"mean": 0.323}, 0.323),
    ("0.5", {"mean": 0.5}, 0.5),
    ({}, {}, 0.0),
    (0, {}, 0.0),
    ({"mean": 2}, {"mean": 2.0}, 2.0),
    ({"mean": 2, "stdev": 0}, {"mean": 2.0, "stdev": 0.0}, 2.0),
    ({"type": "normal", "mean": 5, "stdev": 0.1}, {"mean": 5.0, "stdev": 0.1}, 5.0),
    ({"type": "uniform", "min": 1, "max": 4}, {"type": "uniform", "min": 1.0, "max": 4.0}, 2.5),
    ({"type": "gamma", "shape": 2, "scale": 3}, {"type": "gamma", "shape": 2.0, "scale": 3.0}, 6.0),
    ({"type": "exponential", "scale": 3}, {"type": "exponential", "scale": 3.0}, 3.0),
    ({"type": "poisson", "lam": 7}, {"type": "poisson", "lam": 7.0}, 7.0),
]


@pytest.mark.parametrize(("written", "dlio", "mean"), WRITTEN)
def test_reads_numbers_and_distributions(written, dlio, mean):
    duration = Duration.parse(written)
    assert duration.as_dlio() == dlio
    assert duration.mean_s == pytest.approx(mean)
    assert duration.is_zero == (mean == 0)
    assert Duration.parse(duration.as_dlio()) == duration


def test_draws_a_constant_without_the_generator():
    rng = np.random.default_rng(1)
    drawn = Duration.parse(0.00551).draw_ns(rng, 3)
    assert drawn.dtype == np.int64
    assert drawn.tolist() == [5_510_000] * 3
    assert rng.random() == np.random.default_rng(1).random()


@pytest.mark.parametrize("written", [written for written, _, mean in WRITTEN if mean])
def test_draws_as_numpy_does(written):
    duration = Duration.parse(written)
    drawn = duration.draw_ns(np.random.default_rng(3), 20_000)
    assert drawn.min() >= 0
    assert drawn.mean() == pytest.approx(duration.mean_s * 1e9, rel=0.03)


def test_a_draw_below_zero_counts_by_its_magnitude():
    # For mean 0 and deviation 1 the mean magnitude is sqrt(2 / pi).
    duration = Duration.parse({"mean": 0, "stdev": 1})
    drawn = duration.draw_ns(np.random.default_rng(5), 50_000)
    expected = np.abs(np.random.default_rng(5).normal(0, 1, 50_000))
    assert np.array_equal(drawn, np.rint(expected * 1e9).astype(np.int64))
    assert duration.mean_s == pytest.approx((2 / np.pi) ** 0.5)
    assert not duration.is_zero


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (-1, "0 or more, found -1"),
        (True, "found True"),
        ("fast", "found 'fast'"),
        (float("nan"), "found nan"),
        ({"type": "normel", "mean": 1}, "did you mean 'normal'?"),
        ({"mean": 1, "stdv": 2}, "no parameter 'stdv'"),
        ({"type": "uniform", "min": 3}, "needs max too"),
        ({"type": "uniform", "min": 3, "max": 1}, "min <= max"),
        ({"type": "gamma"}, "needs shape and scale too"),
        ([1], "found [1]"),
    ],
)
def test_says_what_is_wrong(written, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        Duration.parse(written)
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(written)
