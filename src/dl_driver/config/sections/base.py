# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every section shares: unknown keys are refused, numbers are numbers, choices are enums.

The text under a field is its description in the JSON Schema that editors use.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A group of keys; a value once read does not change."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        protected_namespaces=(),
        coerce_numbers_to_str=True,
        validate_default=False,
    )


@dataclass(frozen=True, slots=True)
class NoEffect:
    """Marks a key that is accepted, because workloads carry it, and changes nothing here."""

    why: str


_FALSE_WORDS = ("off", "no", "false", "none", "null")
_TRUE_WORDS = ("on", "yes", "true")


class Choice(StrEnum):
    """A key with a fixed set of values. YAML tools turn ``off`` into false; that is undone here."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        text = str(value).strip().lower()
        if text in _FALSE_WORDS:
            return cls._named("off") or cls._named("none")
        if text in _TRUE_WORDS:
            return cls._when_true()
        return cls._named(text)

    @classmethod
    def _named(cls, text: str) -> Self | None:
        return next((member for member in cls if member.value == text), None)

    @classmethod
    def _when_true(cls) -> Self | None:
        """The member that a plain true stands for, where there is one."""
        return None


def _refuse_bool(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("number_type", "Input should be a number")
    return value


def _minus_one_is_none(value: object) -> object:
    return None if str(value).strip() in ("-1", "-1.0") else value


def _scalar_is_list(value: object) -> object:
    return (value,) if isinstance(value, str | int) and not isinstance(value, bool) else value


LARGEST = 2**63 - 1
"""What 64 bits hold; files have no more bytes, and arrays count no further."""

Integer = Annotated[int, BeforeValidator(_refuse_bool)]
Number = Annotated[float, BeforeValidator(_refuse_bool), Field(allow_inf_nan=False)]
# A bound stands before the validator: behind it, pydantic leaves it out of the JSON Schema.
Count = Annotated[int, Field(ge=0, le=LARGEST), BeforeValidator(_refuse_bool)]
Positive = Annotated[int, Field(ge=1, le=LARGEST), BeforeValidator(_refuse_bool)]
PositiveNumber = Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False), BeforeValidator(_refuse_bool)]
NumberFromZero = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False), BeforeValidator(_refuse_bool)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), BeforeValidator(_refuse_bool)]
Ratio = Annotated[float, Field(ge=1, le=64, allow_inf_nan=False), BeforeValidator(_refuse_bool)]
Limit = Annotated[Count | None, BeforeValidator(_minus_one_is_none)]
"""A count, or None for no limit, which dlio_benchmark writes as -1."""
PositiveLimit = Annotated[Positive | None, BeforeValidator(_minus_one_is_none)]


ONE_OR_MANY = BeforeValidator(_scalar_is_list)
"""For a list in which a single value may stand without its brackets."""


def _not_empty(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("empty_text", "Input should not be empty")
    return value


Text = Annotated[str, AfterValidator(_not_empty)]
