# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A case as text for 120 columns."""

from collections.abc import Iterator
from numbers import Real

from benchmarks.measurement import Case, summary


def lines(case: Case) -> Iterator[str]:
    """A row a contestant, then the targets, then who was skipped and what else to know."""
    yield ""
    yield case.title
    yield f"  {'':24}{'samples/s':>12}{'MB/s':>10}{'CPU s/GB':>10}{'seconds':>9}  {'the first is':20}  how"
    ratios = case.ratios()
    for name, turns in case.turns.items():
        middle = summary(turns)
        yield (
            f"  {name:24}{_number(middle['samples_per_second'], 0):>12}"
            f"{_number(_scaled(middle['bytes_per_second'], 1e-6), 0):>10}{_number(middle['cpu_seconds_per_gb'], 3):>10}"
            f"{_number(middle['seconds'], 2):>9}  {_ratio(ratios.get(name)):20}  {case.how[name]}"
        )
        yield from _extras(case, name)
    for target in case.targets:
        value = target.measured(case)
        sign = ">=" if target.at_least else "<="
        verdict = {True: "met", False: "MISSED", None: "not measured"}[target.met(case)]
        yield f"  target: {target.what} {sign} {target.limit:,g}: {_number(value, 2)}, {verdict}"
    yield from (f"  skipped: {name}: {reason}" for name, reason in case.skipped.items())
    yield from (f"  note: {note}" for note in case.notes)


def _extras(case: Case, name: str) -> Iterator[str]:
    keys = [key for key, value in case.turns[name][0].extra.items() if isinstance(value, Real)]
    if keys:
        yield "      " + ", ".join(f"{key} {_number(case.extra(name, key), 2)}" for key in keys)


def _ratio(values: list[float] | None) -> str:
    """The middle one, and the range."""
    if not values:
        return ""
    ordered = sorted(values)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return f"{middle:.2f}x ({ordered[0]:.2f}-{ordered[-1]:.2f})"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
