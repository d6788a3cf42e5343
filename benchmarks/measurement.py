# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a turn measured, and what follows from many: medians, and the ratio to each rival turn by turn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Literal, Protocol

Figure = Literal["samples_per_second", "bytes_per_second", "seconds"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One turn of one contestant."""

    seconds: float
    samples: int
    bytes: int
    cpu_seconds: float | None = None
    """Of all its processes; None where it cannot be told from start-up."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def samples_per_second(self) -> float:
        """Samples, or files where a file is one."""
        return self.samples / self.seconds

    @property
    def bytes_per_second(self) -> float:
        """Bytes of whole files."""
        return self.bytes / self.seconds

    @property
    def cpu_seconds_per_gb(self) -> float | None:
        """Processor time for 10^9 bytes."""
        return None if self.cpu_seconds is None else self.cpu_seconds / self.bytes * 1e9


class Contestant(Protocol):
    """Someone who can be measured again and again."""

    name: str
    how: str
    """The settings, in words."""

    def measure(self) -> Measurement:
        """One turn. Raises ContestantFailed."""
        ...

    def close(self) -> None:
        """End its processes."""
        ...


class ContestantFailed(Exception):
    """A contestant could not do its turn; the text says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that is wanted."""

    what: str
    limit: float
    measured: "Callable[[Case], float | None]"
    """From the finished case; None where a rival was missing."""
    at_least: bool = True
    """Else: at most."""

    def met(self, case: "Case") -> bool | None:
        """None where it could not be measured."""
        value = self.measured(case)
        if value is None:
            return None
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison: the first contestant against the others."""

    title: str
    figure: Figure
    turns: Mapping[str, Sequence[Measurement]]
    how: Mapping[str, str]
    skipped: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    targets: Sequence[Target] = ()

    def median(self, name: str) -> float | None:
        """A contestant's figure; None if it did not take part."""
        turns = self.turns.get(name)
        return median(getattr(turn, self.figure) for turn in turns) if turns else None

    def ratio(self, rival: str) -> float | None:
        """How many times the rival's figure ours is: the median over the repeats."""
        ratios = self.ratios().get(rival)
        return median(ratios) if ratios else None

    def cost_ratio(self, rival: str) -> float | None:
        """How many times the rival's CPU time for a GB ours is, by medians."""
        first = next(iter(self.turns))
        costs = [summary(self.turns[name])["cpu_seconds_per_gb"] for name in (first, rival) if name in self.turns]
        return costs[0] / costs[1] if len(costs) == 2 and costs[0] and costs[1] else None

    def extra(self, name: str, key: str) -> float | None:
        """Median of something else that a contestant measured."""
        values = [turn.extra[key] for turn in self.turns.get(name, ()) if turn.extra.get(key) is not None]
        return median(values) if values else None

    def ratios(self) -> dict[str, list[float]]:
        """The first contestant's figure over each rival's, repeat by repeat."""
        first, *rivals = self.turns
        ours = [getattr(turn, self.figure) for turn in self.turns[first]]
        return {
            rival: [mine / getattr(turn, self.figure) for mine, turn in zip(ours, self.turns[rival], strict=True)]
            for rival in rivals
        }

    def as_json(self) -> dict[str, Any]:
        """Everything, the single turns included."""
        return {
            "title": self.title,
            "figure": self.figure,
            "contestants": {
                name: {
                    "how": self.how[name],
                    "median": summary(turns),
                    "turns": [asdict(turn) for turn in turns],
                }
                for name, turns in self.turns.items()
            },
            "ratio_of_the_first": {
                rival: {"median": median(values), "repeats": values} for rival, values in self.ratios().items()
            },
            "targets": [
                {
                    "what": target.what,
                    "wanted": f"{'>=' if target.at_least else '<='} {target.limit:g}",
                    "measured": target.measured(self),
                    "met": target.met(self),
                }
                for target in self.targets
            ],
            "skipped": dict(self.skipped),
            "notes": list(self.notes),
        }


def summary(turns: Sequence[Measurement]) -> dict[str, float | None]:
    """Medians over the turns."""
    costs = [cost for turn in turns if (cost := turn.cpu_seconds_per_gb) is not None]
    return {
        "samples_per_second": median(turn.samples_per_second for turn in turns),
        "bytes_per_second": median(turn.bytes_per_second for turn in turns),
        "cpu_seconds_per_gb": median(costs) if costs else None,
        "seconds": median(turn.seconds for turn in turns),
    }


def interleave(contestants: Sequence[Contestant], repeats: int) -> dict[str, list[Measurement]]:
    """A B C A B C ...: what the machine does meanwhile meets all alike."""
    turns: dict[str, list[Measurement]] = {contestant.name: [] for contestant in contestants}
    for _ in range(repeats):
        for contestant in contestants:
            turns[contestant.name].append(contestant.measure())
    return turns
