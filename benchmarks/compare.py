# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From who shall take part to a finished case: choose each one's best way, then measure in turns."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.measurement import Case, Contestant, ContestantFailed, Figure, Target, interleave


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    repeats: int
    quick: bool
    """Small data sets, to see that everything works; no figure is worth keeping."""
    missing: Mapping[str, str]
    """Rivals that cannot take part, and why."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """Someone who shall take part, in whichever of these ways is fastest."""

    name: str
    ways: Sequence[Callable[[], Contestant]]
    rival: str | None = None
    """As benchmarks.rivals knows it; None for dl-driver."""
    trial: bool = True
    """One turn that does not count: to choose among ways, and to start worker processes. Commands need none."""


def compare(
    title: str,
    figure: Figure,
    entrants: Sequence[Entrant],
    options: Options,
    *,
    notes: Sequence[str] = (),
    targets: Sequence[Target] = (),
) -> Case:
    """Measure. A rival that fails its trial is skipped with its reason."""
    skipped: dict[str, str] = {}
    tried: list[str] = []
    contestants: list[Contestant] = []
    with ExitStack() as stack:
        for entrant in entrants:
            if entrant.rival is not None and entrant.rival in options.missing:
                skipped[entrant.name] = options.missing[entrant.rival]
                continue
            try:
                contestant = _best(entrant, figure, tried)
            except ContestantFailed as failure:
                if entrant.rival is None:
                    raise
                skipped[entrant.name] = str(failure)
                continue
            stack.callback(contestant.close)
            contestants.append(contestant)
        turns = interleave(contestants, options.repeats)
    return Case(
        title=title,
        figure=figure,
        turns=turns,
        how={contestant.name: contestant.how for contestant in contestants},
        skipped=skipped,
        notes=[*notes, *tried],
        targets=() if options.quick else targets,
    )


def _best(entrant: Entrant, figure: Figure, tried: list[str]) -> Contestant:
    """The fastest way of one turn each. Every other way's processes are ended before the next starts."""
    if not entrant.trial:
        return entrant.ways[0]()
    rates: list[float] = []
    for way in entrant.ways:
        contestant = way()
        try:
            rates.append(getattr(contestant.measure(), figure))
        except ContestantFailed:
            contestant.close()
            raise
        if len(entrant.ways) == 1:
            return contestant
        contestant.close()
        tried.append(f"{entrant.name} tried once: {contestant.how}: {rates[-1]:,.0f}")
    chosen = entrant.ways[rates.index(max(rates))]()
    chosen.measure()
    return chosen
