# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from dl_driver.errors import RunError
from dl_driver.run.plugins import Plugins


class Diary:
    """Has every hook."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []

    def initialize(self, workload: object) -> None:
        self.calls.append(("initialize", workload))

    def after_step(self, step: int) -> None:
        self.calls.append(("after_step", step))

    def after_epoch(self, epoch: int) -> None:
        self.calls.append(("after_epoch", epoch))

    def finalize(self, summary: object) -> None:
        self.calls.append(("finalize", summary))


def test_every_hook_is_called_and_none_is_needed() -> None:
    diary = Diary()
    plugins = Plugins([("idle", object()), ("diary", diary)])
    plugins.initialize("workload")
    plugins.after_step(3)
    plugins.after_epoch(1)
    plugins.finalize("summary")
    assert diary.calls == [("initialize", "workload"), ("after_step", 3), ("after_epoch", 1), ("finalize", "summary")]
    assert plugins.names == ("idle", "diary")


def test_steps_are_followed_only_where_a_plugin_wants_it() -> None:
    assert not Plugins([("idle", object())]).follow_steps
    assert Plugins([("diary", Diary())]).follow_steps


def test_an_error_names_the_plugin_and_the_hook() -> None:
    class Luckless:
        def after_epoch(self, epoch: int) -> None:
            raise KeyError(epoch)

    with pytest.raises(RunError, match="plugin 'luckless' failed in after_epoch: KeyError: 4"):
        Plugins([("luckless", Luckless())]).after_epoch(4)
