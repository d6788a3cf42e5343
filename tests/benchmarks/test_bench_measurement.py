# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from benchmarks.compare import Entrant, Options, compare
from benchmarks.measurement import Case, ContestantFailed, Measurement, Target
from benchmarks.processes import Repeated

from benchmarks import table


def turns(*rates, cpu=None):
    """A turn of one second for each rate, of samples of 1 MB."""
    return [Measurement(1.0, rate, rate * 10**6, cpu) for rate in rates]


def case(**changes):
    given = {"ours": turns(100, 200, 400, cpu=0.1), "rival": turns(50, 40, 20, cpu=0.01)}
    values = {"title": "t", "figure": "samples_per_second", "turns": given, "how": dict.fromkeys(given, "")}
    return Case(**(values | changes))


def counting(name, rates, log):
    """Gives these rates one after the other."""
    remaining = iter(rates)

    def measure():
        log.append(name)
        return turns(next(remaining))[0]

    return Repeated(name, name, measure)


def test_a_measurement_by_hand():
    measured = Measurement(seconds=2.0, samples=10, bytes=4 * 10**9, cpu_seconds=1.0)
    assert measured.samples_per_second == 5
    assert measured.bytes_per_second == 2e9
    assert measured.cpu_seconds_per_gb == 0.25


def test_ratios_pair_the_turns_and_their_median_is_not_the_ratio_of_medians():
    assert case().ratios() == {"rival": [2.0, 5.0, 20.0]}
    uneven = case(turns={"ours": turns(10, 100, 1000), "rival": turns(100, 10, 1)})
    assert uneven.ratios() == {"rival": [0.1, 10.0, 1000.0]}
    assert uneven.ratio("rival") == 10.0
    assert case().ratio("absent") is None


def test_cost_ratio_compares_cpu_time_for_a_gb():
    # 0.1 s for 0.2 GB is 0.5; 0.01 s for 0.04 GB is 0.25.
    assert case().cost_ratio("rival") == pytest.approx(2.0)
    assert case(turns={"ours": turns(1), "rival": turns(1)}).cost_ratio("rival") is None
    assert case().cost_ratio("absent") is None


@pytest.mark.parametrize(("limit", "at_least", "met"), [(5, True, True), (6, True, False), (5, False, True)])
def test_target(limit, at_least, met):
    target = Target("times rival", limit, lambda case: case.ratio("rival"), at_least=at_least)
    assert target.met(case()) is met


def test_a_target_without_its_rival_is_not_measured():
    assert Target("times absent", 1, lambda case: case.ratio("absent")).met(case()) is None


def test_turns_are_interleaved():
    log = []
    entrants = [Entrant(name, [lambda n=name: counting(n, (1, 2, 3), log)], trial=False) for name in "ab"]
    done = compare("t", "samples_per_second", entrants, Options(3, False, {}))
    assert log == ["a", "b", "a", "b", "a", "b"]
    assert [turn.samples for turn in done.turns["a"]] == [1, 2, 3]


def test_the_fastest_way_is_kept_and_its_trial_does_not_count():
    ways = [lambda: counting("slow", (1,), []), lambda: counting("fast", (9,) * 4, [])]
    done = compare("t", "samples_per_second", [Entrant("x", ways)], Options(2, False, {}))
    assert done.how == {"fast": "fast"}
    assert len(done.turns["fast"]) == 2
    assert done.notes == ["x tried once: slow: 1", "x tried once: fast: 9"]


def test_missing_and_failing_rivals_are_skipped_with_the_reason():
    def fail():
        raise ContestantFailed("no such library")

    entrants = [
        Entrant("ours", [lambda: counting("ours", (1, 1), [])]),
        Entrant("absent", [], rival="absent"),
        Entrant("broken", [lambda: Repeated("broken", "", fail)], rival="broken"),
    ]
    done = compare("t", "samples_per_second", entrants, Options(1, False, {"absent": "not installed"}))
    assert list(done.turns) == ["ours"]
    assert done.skipped == {"absent": "not installed", "broken": "no such library"}


def test_our_own_failure_is_not_skipped():
    def fail():
        raise ContestantFailed("boom")

    with pytest.raises(ContestantFailed, match="boom"):
        compare("t", "seconds", [Entrant("ours", [lambda: Repeated("ours", "", fail)])], Options(1, False, {}))


def test_json_holds_every_turn_and_the_verdicts():
    target = Target("times rival", 4, lambda case: case.ratio("rival"))
    content = case(targets=[target], skipped={"x": "why"}).as_json()
    assert content["ratio_of_the_first"] == {"rival": {"median": 5.0, "repeats": [2.0, 5.0, 20.0]}}
    assert content["contestants"]["ours"]["median"]["samples_per_second"] == 200
    assert len(content["contestants"]["rival"]["turns"]) == 3
    assert content["targets"] == [{"what": "times rival", "wanted": ">= 4", "measured": 5.0, "met": True}]
    assert content["skipped"] == {"x": "why"}


def test_table_says_ratio_target_and_who_was_skipped():
    missed = Target("times rival", 6, lambda case: case.ratio("rival"))
    text = "\n".join(table.lines(case(targets=[missed], skipped={"x": "why"}, notes=["n"])))
    assert "5.00x (2.00-20.00)" in text
    assert "target: times rival >= 6: 5.00, MISSED" in text
    assert "skipped: x: why" in text
    assert "note: n" in text
