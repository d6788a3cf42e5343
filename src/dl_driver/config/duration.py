# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long something takes: a number of seconds, or a distribution to draw seconds from.

A workload writes ``0.323``, ``{mean: 0.323}``, ``{mean: 0.323, stdev: 0.05}`` or names a distribution by ``type``.
A draw below zero counts by its magnitude, as in dlio_benchmark.
"""

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NS = 1e9


class Distribution(StrEnum):
    """What ``type`` may say; CONSTANT is a plain number, the others are named as NumPy's generator names them."""

    CONSTANT = "constant"
    NORMAL = "normal"
    UNIFORM = "uniform"
    GAMMA = "gamma"
    EXPONENTIAL = "exponential"
    POISSON = "poisson"


class _Kind(NamedTuple):
    """One distribution: its parameters' names and its mean."""

    names: tuple[str, ...]
    mean: Callable[..., float]


def _mean_magnitude(mean: float, stdev: float) -> float:
    """Mean of ``abs(x)`` for a normal x: the folded normal distribution."""
    if stdev == 0.0:
        return mean
    bell = stdev * math.sqrt(2 / math.pi) * math.exp(-(mean**2) / (2 * stdev**2))
    return bell + mean * math.erf(mean / (stdev * math.sqrt(2)))


_KINDS = {
    Distribution.CONSTANT: _Kind(("mean",), lambda mean: mean),
    Distribution.NORMAL: _Kind(("mean", "stdev"), _mean_magnitude),
    Distribution.UNIFORM: _Kind(("min", "max"), lambda low, high: (low + high) / 2),
    Distribution.GAMMA: _Kind(("shape", "scale"), lambda shape, scale: shape * scale),
    Distribution.EXPONENTIAL: _Kind(("scale",), lambda scale: scale),
    Distribution.POISSON: _Kind(("lam",), lambda lam: lam),
}


@dataclass(frozen=True, slots=True)
class Duration:
    """A time as a workload states it."""

    distribution: Distribution = Distribution.CONSTANT
    values: tuple[float, ...] = (0.0,)
    """Seconds (``shape`` is a pure number), in the order of the distribution's parameters."""

    @property
    def mean_s(self) -> float:
        """Seconds to expect of a draw."""
        return float(_KINDS[self.distribution].mean(*self.values))

    @property
    def is_zero(self) -> bool:
        """Whether every draw is zero."""
        return self.mean_s == 0.0

    def draw_ns(self, rng: "np.random.Generator", count: int) -> "NDArray[np.int64]":
        """``count`` durations in whole nanoseconds, none below zero; a constant takes nothing from the generator."""
        import numpy as np

        if self.distribution is Distribution.CONSTANT:
            return np.full(count, round(self.values[0] * _NS), np.int64)
        drawn: NDArray[np.float64] = getattr(rng, self.distribution.value)(*self.values, size=count)
        nanoseconds: NDArray[np.int64] = np.rint(np.abs(drawn) * _NS).astype(np.int64)
        return nanoseconds

    def as_dlio(self) -> dict[str, Any]:
        """The dictionary that dlio_benchmark makes of it; empty for no time at all."""
        if self == Duration():
            return {}
        named: dict[str, Any] = dict(zip(_KINDS[self.distribution].names, self.values, strict=True))
        if self.distribution in (Distribution.CONSTANT, Distribution.NORMAL):
            return named
        return {"type": self.distribution.value, **named}

    @classmethod
    def parse(cls, value: object) -> Self:
        """From a number or a mapping; raises ValueError saying what is wrong with it."""
        if isinstance(value, cls):
            return value
        if isinstance(value, Mapping):
            return cls._from_mapping(value)
        return cls(Distribution.CONSTANT, (_seconds("value", value),))

    @classmethod
    def _from_mapping(cls, mapping: Mapping[str, object]) -> Self:
        given = {name: value for name, value in mapping.items() if value is not None}
        distribution = _distribution(given.pop("type", None), given)
        names = _KINDS[distribution].names
        for name in given:
            if name not in names:
                raise ValueError(f"{distribution.value} has no parameter {name!r}{_near(name, names)}")
        if not given and distribution is Distribution.CONSTANT:
            return cls()
        if distribution is Distribution.NORMAL:
            given.setdefault("stdev", 0.0)
        missing = [name for name in names if name not in given]
        if missing:
            raise ValueError(f"{distribution.value} needs {' and '.join(missing)} too")
        values = tuple(_seconds(name, given[name]) for name in names)
        if distribution is Distribution.UNIFORM and values[0] > values[1]:
            raise ValueError(f"uniform needs min <= max, found min {values[0]:g} and max {values[1]:g}")
        return cls(distribution, values)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.plain_serializer_function_ser_schema(Duration.as_dlio)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, object]:
        return {"anyOf": [{"type": "number", "minimum": 0}, *(_json_schema(kind) for kind in Distribution)]}


def join_stdev(section: object, key: str) -> object:
    """A section as written, the deviation that stands in ``<key>_stdev`` put into ``key``."""
    if not isinstance(section, Mapping) or section.get(f"{key}_stdev") is None:
        return section
    value, stdev = section.get(key), section[f"{key}_stdev"]
    mapping = dict(value) if isinstance(value, Mapping) else {"mean": 0.0 if value is None else value}
    if mapping.get("stdev", stdev) != stdev:
        raise ValueError(f"{key} has the stdev {mapping['stdev']!r} and {key}_stdev is {stdev!r}; keep one")
    return {**section, key: {**mapping, "stdev": stdev}}


def _distribution(kind: object, given: Mapping[str, object]) -> Distribution:
    if kind is None:
        return Distribution.NORMAL if "stdev" in given else Distribution.CONSTANT
    names = [entry.value for entry in Distribution]
    try:
        return Distribution(str(kind).lower())
    except ValueError:
        near = _near(str(kind), names)
        raise ValueError(f"expected a type among {', '.join(names)}, found {kind!r}{near}") from None


def _seconds(name: str, value: object) -> float:
    """A finite number, not below zero; a number in quotes is one."""
    wrong = ValueError(f"expected {name} to be a number of seconds, 0 or more, found {value!r}")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong
    try:
        number = float(value)
    except ValueError:
        raise wrong from None
    if not math.isfinite(number) or number < 0:
        raise wrong
    return number


def _near(name: str, names: "tuple[str, ...] | list[str]") -> str:
    found = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def _json_schema(kind: Distribution) -> dict[str, object]:
    names = _KINDS[kind].names
    required = [] if kind is Distribution.CONSTANT else ["type", *names]
    if kind is Distribution.NORMAL:
        required = ["mean", "stdev"]
    return {
        "type": "object",
        "properties": {"type": {"const": kind.value}, **{name: {"type": "number", "minimum": 0} for name in names}},
        "required": required,
        "additionalProperties": False,
    }
