# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

from types import SimpleNamespace

import pytest

from dl_driver.storage.engines.http_patience import Answers, Patience

MS = 1_000_000


def connections(count, since, limit=10_000 * MS):
    return [
        SimpleNamespace(
            limit_ns=limit,
            since_ns=since,
            connecting=False,
            raw_head=b"",
            partial=b"",
            job=SimpleNamespace(hurries=0, rivals=None),
        )
        for _ in range(count)
    ]


def answered(count, each=1.6 * MS):
    return Answers(count, round(count * each))


def test_one_request_among_many_that_are_answered_is_late():
    """1000 answers took 1.6 ms each: 50 ms, the least, are far more."""
    patience, start = Patience(0.05), 1_000_000 * MS
    late, *others = connections(32, start)
    assert patience.overdue([late, *others], answered(0), start) == []
    for other in others:
        other.since_ns = start + 50 * MS
    assert patience.overdue([late, *others], answered(1000), start + 50 * MS) == []
    (found,) = patience.overdue([late, *others], answered(1200), start + 60 * MS)
    assert (found.connection, found.kind) == (late, "late")
    # Asked for again, the later request is given twice the time, and the earlier one is not asked for once more.
    earlier, later = connections(2, start)
    later.since_ns = start + 60 * MS
    job = late.job
    job.rivals = (earlier, later)
    earlier.job = later.job = job
    assert patience.overdue([earlier, later], answered(3000), start + 160 * MS) == []
    (found,) = patience.overdue([earlier, later], answered(4000), start + 161 * MS)
    assert found.connection is later


def test_lost_requests_do_not_make_others_seem_usual():
    """Half of 32 requests are lost for minutes, and a few answers a second come between: these take 1.6 ms each."""
    patience, start = Patience(0.05), 1_000_000 * MS
    lost = connections(16, start, limit=1_000_000 * MS)
    for turn in range(1, 20_001):
        patience.overdue(lost, answered(turn // 10), start + turn * 10 * MS)
    assert patience._usual_ns == pytest.approx(1.6 * MS)
    assert patience._late_ns == 50 * MS


def test_a_server_that_gets_slower_is_learned():
    """From 1.6 ms to 1.6 s, 20 answers a second: what is late follows, 8 times as long."""
    patience, start = Patience(0.05), 1_000_000 * MS
    patience.overdue([], answered(1000), start)
    taken = answered(1000).taken_ns
    for turn in range(1, 201):
        patience.overdue([], Answers(1000 + 10 * turn, taken + 10 * turn * 1600 * MS), start + turn * 500 * MS)
    assert patience._late_ns == pytest.approx(8 * 1600 * MS, rel=0.01)


def test_a_slow_server_is_waited_for():
    """4 answers in 50 ms took 400 ms each; 8 times that is 3.2 s."""
    patience, start = Patience(0.05), 1_000_000 * MS
    busy = connections(32, start)
    patience.overdue(busy, answered(0), start)
    for turn in range(1, 64):
        assert patience.overdue(busy, answered(4 * turn, 400 * MS), start + turn * 50 * MS) == []


def test_of_a_server_that_stands_still_a_few_requests_are_made_again():
    """Until one is answered, the others wait, up to the limit."""
    patience, start = Patience(0.05), 1_000_000 * MS
    busy = connections(32, start)
    for turn in range(10):
        patience.overdue([], answered(1000 * turn), start - (10 - turn) * 50 * MS)
    assert patience.overdue(busy, answered(9000), start) == []
    assert len(patience.overdue(busy, answered(9000), start + 9_000 * MS)) == 4
    assert patience.overdue(busy, answered(9000), start + 9_050 * MS) == []
    now = start + 9_050 * MS
    found = [patience.overdue(busy, answered(9000 + 1000 * turn), now + turn * 40 * MS) for turn in range(1, 20)]
    assert sum(map(len, found)) == 3 * 32 - 4  # three times each
    found = patience.overdue(busy, answered(29_000), start + 10_001 * MS)
    assert {one.kind for one in found} == {"no answer"}
    assert len(found) == 32
    assert "within 10 s" in found[0].reason


def test_no_more_than_the_share_is_hurried():
    """Of 100 answers so far 5 %, and 8 more."""
    patience, start = Patience(0.05), 1_000_000 * MS
    patience.overdue([], answered(0), start)
    # Of 32 ms each, so 256 ms are late.
    patience.overdue(connections(64, start), answered(99, 32 * MS), start + 50 * MS)
    found = patience.overdue(connections(64, start - 3_000 * MS), answered(100, 32 * MS), start + 51 * MS)
    assert len(found) == 13
    assert Patience(0).overdue(connections(1, 1), answered(1), 9_000 * MS) == []
