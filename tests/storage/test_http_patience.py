# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

from types import SimpleNamespace

from dl_driver.storage.engines.http_patience import Patience

MS = 1_000_000


def connections(count, since, limit=10_000 * MS):
    return [
        SimpleNamespace(
            limit_ns=limit, since_ns=since, connecting=False, raw_head=b"", partial=b"", job=SimpleNamespace(hurries=0)
        )
        for _ in range(count)
    ]


def test_one_request_among_many_that_are_answered_is_late():
    """32 under way and 1000 answers in 50 ms make 1.6 ms each by Little's law: 200 ms, the least, are far more."""
    patience, start = Patience(0.05), 1_000_000 * MS
    late, *others = connections(32, start)
    assert patience.overdue([late, *others], 0, start) == []
    for turn in range(1, 5):
        now = start + turn * 50 * MS
        for other in others:
            other.since_ns = now
        assert patience.overdue([late, *others], turn * 1000, now) == []
    (found,) = patience.overdue([late, *others], 5000, start + 250 * MS)
    assert (found.connection, found.kind) == (late, "late")
    # Asked for again, it is given twice the time.
    late.since_ns = start + 250 * MS
    assert patience.overdue([late], 6000, late.since_ns + 400 * MS) == []
    assert len(patience.overdue([late], 7000, late.since_ns + 410 * MS)) == 1


def test_a_slow_server_is_waited_for():
    """32 under way and 4 answers in 50 ms make 400 ms each; 8 times that is 3.2 s."""
    patience, start = Patience(0.05), 1_000_000 * MS
    busy = connections(32, start)
    patience.overdue(busy, 0, start)
    for turn in range(1, 64):
        assert patience.overdue(busy, 4 * turn, start + turn * 50 * MS) == []


def test_a_server_that_stands_still_is_waited_for_up_to_the_limit():
    patience, start = Patience(0.05), 1_000_000 * MS
    busy = connections(32, start)
    for turn in range(10):
        patience.overdue([], 1000 * turn, start - (10 - turn) * 50 * MS)
    assert patience.overdue(busy, 9000, start) == []
    assert patience.overdue(busy, 9000, start + 9_000 * MS) == []
    found = patience.overdue(busy, 9000, start + 10_001 * MS)
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
