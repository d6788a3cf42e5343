# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plugins: objects that follow a run, found through the entry points ``dl_driver.plugins``.

Each entry point names a class or function that makes a plugin when called without arguments. A plugin may have any of
``initialize(workload)``, ``after_step(step)``, ``after_epoch(epoch)`` and ``finalize(summary)``. An error in one ends
the run; the error names the plugin.
"""

from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from dl_driver.errors import RunError

_ENTRY_POINTS = "dl_driver.plugins"


class Plugins:
    """All plugins of a run, called one after another."""

    def __init__(self, plugins: Sequence[tuple[str, Any]]) -> None:
        self._plugins = plugins
        self._after_step = [(name, plugin.after_step) for name, plugin in plugins if hasattr(plugin, "after_step")]

    @classmethod
    def discover(cls) -> "Plugins":
        """Those installed; raises RunError where one cannot be made."""
        return cls([(entry.name, _guarded(entry.name, "loading", _make, entry)) for entry in _entries()])

    @property
    def names(self) -> tuple[str, ...]:
        """For the results."""
        return tuple(name for name, _ in self._plugins)

    def initialize(self, workload: Any) -> None:
        """Before anything runs."""
        self._call("initialize", workload)

    def after_step(self, step: int) -> None:
        """After each training step, counted from 1 over the run."""
        for name, method in self._after_step:
            _guarded(name, "after_step", method, step)

    @property
    def follow_steps(self) -> bool:
        """Whether any wants to hear of steps."""
        return bool(self._after_step)

    def after_epoch(self, epoch: int) -> None:
        """After each epoch, counted from 1."""
        self._call("after_epoch", epoch)

    def finalize(self, summary: Any) -> None:
        """After the run, with its summary."""
        self._call("finalize", summary)

    def _call(self, hook: str, argument: Any) -> None:
        for name, plugin in self._plugins:
            method = getattr(plugin, hook, None)
            if method is not None:
                _guarded(name, hook, method, argument)


def _entries() -> Iterable[EntryPoint]:
    return entry_points(group=_ENTRY_POINTS)


def _make(entry: EntryPoint) -> Any:
    return entry.load()()


def _guarded(name: str, hook: str, call: Callable[[Any], Any], argument: Any) -> Any:
    """A plugin is a stranger's code and may raise anything; the run's own errors pass."""
    try:
        return call(argument)
    except Exception as error:
        raise RunError(f"plugin {name!r} failed in {hook}: {type(error).__name__}: {error}") from error
