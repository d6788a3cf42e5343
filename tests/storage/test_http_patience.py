# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

from types import SimpleNamespace

import pytest

from dl_driver.storage.engines.http_patience import Patience

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


def test_one_request_among_many_that_are_answered_is_late():
    """32 under way and 1000 answers in 50 ms make 1.6 ms each by Little's law: 50 ms, the least, are far more."""
    patience, start = Patience(0.05), 1_000_000 * MS
    late, *others = connections(32, start)
    assert patience.overdue([late, *others], 0, start) == []
    for other in others:
        other.since_ns = start + 50 * MS
    assert patience.overdue([late, *others], 1000, start + 50 * MS) == []
    (found,) = patience.overdue([late, *others], 1200, start + 60 * MS)
    assert (found.connection, found.kind) == (late, "late")
    # Asked for again, the later request is given twice the time, and the earlier one is not asked for once more.
    earlier, later = connections(2, start)
    later.since_ns = start + 60 * MS
    job = late.job
    job.rivals = (earlier, later)
    earlier.job = later.job = job
    assert patience.overdue([earlier, later], 3000, start + 160 * MS) == []
    (found,) = patience.overdue([earlier, later], 4000, start + 161 * MS)
    assert found.connection is later


def test_late_requests_do_not_make_others_seem_usual():
    """Of 32 under way 16 are lost: 16 that wait and 1000 answers in 50 ms make 0.8 ms each."""
    patience, start = Patience(0.05), 1_000_000 * MS
    lost, others = connections(16, start), connections(16, start)
    patience.overdue([*lost, *others], 0, start)
    for turn in range(1, 21):
        now = start + turn * 50 * MS
        for other in others:
            other.since_ns = now
        patience.overdue([*lost, *others], 1000 * turn, now)
    assert patience._usual_ns == pytest.approx(0.8 * MS, rel=0.02)


def test_a_time_without_anything_to_do_is_not_the_servers():
    """A minute passes between two epochs; what was usual before is usual after it."""
    patience, start = Patience(0.05), 1_000_000 * MS
    patience.overdue([], 0, start)
    patience.overdue(connections(32, start + 50 * MS), 1000, start + 50 * MS)
    later = start + 60_050 * MS
    patience.overdue(connections(32, later), 1010, later)
    patience.overdue(connections(32, later), 2010, later + 50 * MS)
    assert patience._usual_ns == pytest.approx(1.6 * MS, rel=0.02)


def test_a_slow_server_is_waited_for():
    """32 under way and 4 answers in 50 ms make 400 ms each; 8 times that is 3.2 s."""
    patience, start = Patience(0.05), 1_000_000 * MS
    busy = connections(32, start)
    patience.overdue(busy, 0, start)
    for turn in range(1, 64):
        assert patience.overdue(busy, 4 * turn, start + turn * 50 * MS) == []


def test_of_a_server_that_stands_still_a_few_requests_are_made_again():
    """Until one is answered, the others wait, up to the limit."""
    patience, start = Patience(0.05), 1_000_000 * MS
    busy = connections(32, start)
    for turn in range(10):
        patience.overdue([], 1000 * turn, start - (10 - turn) * 50 * MS)
    assert patience.overdue(busy, 9000, start) == []
    assert len(patience.overdue(busy, 9000, start + 9_000 * MS)) == 4
    assert patience.overdue(busy, 9000, start + 9_050 * MS) == []
    now = start + 9_050 * MS
    found = [patience.overdue(busy, 9000 + 1000 * turn, now + turn * 40 * MS) for turn in range(1, 20)]
    assert sum(map(len, found)) == 3 * 32 - 4  # three times each
    found = patience.overdue(busy, 29_000, start + 10_001 * MS)
    assert {one.kind for one in found} == {"no answer"}
    assert len(found) == 32
    assert "within 10 s" in found[0].reason


def test_no_more_than_the_share_is_hurried():
    """Of 100 answers so far 5 %, and 8 more."""
    patience, start = Patience(0.05), 1_000_000 * MS
    patience.overdue([], 0, start)
    patience.overdue(connections(64, start), 99, start + 50 * MS)
    # 64 under way, 100 answers in 50 ms: 32 ms each, so 256 ms are late.
    found = patience.overdue(connections(64, start - 3_000 * MS), 100, start + 51 * MS)
    assert len(found) == 13
    assert Patience(0).overdue(connections(1, 1), 1, 9_000 * MS) == []
