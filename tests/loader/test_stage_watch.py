# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A worker's watch: waits shared by hand, and a decoding that sleeps, which takes time but no processor."""

import time

from dl_driver.loader.stages import StageWatch


def test_a_wait_is_shared_by_what_it_held_up():
    """Of 8 s, half to four samples being read, an eighth to one being preprocessed, the rest to three without a place;
    then 2 s to places alone."""
    watch = StageWatch()
    watch.waited(8, 4, 1, 3)
    watch.waited(2, 0, 0, 5)
    totals = watch.totals()
    assert (totals.wait_read_ns, totals.wait_preprocess_ns, totals.wait_place_ns) == (4, 1, 5)


def test_time_on_a_processor_is_not_time():
    watch = StageWatch()
    result, took_ns = watch.decoding(lambda seconds: time.sleep(seconds) or "slept", 0.05)
    totals = watch.totals()
    assert result == "slept"
    assert took_ns >= 50_000_000
    assert totals.decode_ns == totals.sampled_ns == took_ns
    assert totals.sampled_cpu_ns < took_ns / 2


def test_only_one_decoding_a_millisecond_is_sampled():
    watch = StageWatch()
    assert watch.sample_is_due()
    assert not watch.sample_is_due()
    time.sleep(0.001)
    assert watch.sample_is_due()
