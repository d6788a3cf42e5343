# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import signal
import sys

import pytest

from dl_driver.cli.main import main


def ended(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr(sys, "argv", ["dl-driver", "validate", "demo"])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


@pytest.fixture(autouse=True)
def handlers():
    """Puts back what main sets."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "ended by SIGTERM"), (signal.SIGHUP, "ended by SIGHUP")],
)
def test_a_request_to_stop_a_command(monkeypatch, capsys, number, words):
    monkeypatch.setattr("dl_driver.config.loading.find", lambda _: os.kill(os.getpid(), number))
    assert ended(monkeypatch) == 1
    assert capsys.readouterr().err == f"dl-driver: {words}\n"


def test_what_nohup_ignores_stays_ignored(monkeypatch):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert ended(monkeypatch) == 0
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_signal_that_comes_twice_at_once_does_not_end_the_tidying_up(monkeypatch, capsys):
    tidied = []

    def find(_):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            tidied.append(True)

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    monkeypatch.setattr("dl_driver.config.loading.find", find)
    assert ended(monkeypatch) == 1
    assert tidied
    assert capsys.readouterr().err == "dl-driver: ended by SIGTERM\n"
