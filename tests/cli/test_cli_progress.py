# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import json

from dl_driver.cli import progress
from dl_driver.cli.progress import Progress, ProgressStyle


def test_the_time_left_is_told_after_a_second(monkeypatch, capsys):
    """1 of 100 files in 0.9 s says nothing yet; 25 of them in 5 s leave 15 s for the others."""
    now = [100.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress, "_INTERVAL_S", {"json": 0.0})
    shown = Progress(ProgressStyle.JSON, "files")
    now[0] = 100.9
    shown.update(1, 100)
    now[0] = 105.0
    shown.update(25, 100)
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["seconds_left"] for line in told] == [None, 15.0]
