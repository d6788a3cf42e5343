# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Overrides in Hydra's grammar: ``reader.batch_size=8``, ``++workload.reader.batch_size=8``, ``~reader.seed``.

Unlike with dlio_benchmark, a plain ``key=value`` may set a key that the file lacks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dl_driver.config.settings import Path, Setting, flatten
from dl_driver.errors import Problem

if TYPE_CHECKING:
    from hydra.core.override_parser.overrides_parser import OverridesParser

ORIGIN = "override"
"""What stands as the file of a setting that came from an override."""
_NEST = "workload"
_QUOTE = "quote values with special characters, and once more for the shell: \"key='a=b'\""
_SECRET_WORDS = ("secret", "access_key", "token", "password")


@dataclass(frozen=True, slots=True)
class Override:
    """One override: settings to lay over, or a key to remove."""

    path: Path
    settings: tuple[Setting, ...]
    """Empty where the key is to be removed."""


def parse_overrides(texts: Sequence[str]) -> tuple[list[Override], list[Problem]]:
    """All overrides that can be understood, in order, and a Problem for each of the others."""
    if not texts:
        return [], []
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create()
    results = [_parse(parser, text) for text in texts]
    return (
        [result for result in results if isinstance(result, Override)],
        [result for result in results if isinstance(result, Problem)],
    )


def _parse(parser: "OverridesParser", text: str) -> Override | Problem:
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    if "=" not in text and not text.startswith("~"):
        return _problem(text, "expected key=value, such as reader.batch_size=8")
    try:
        override = parser.parse_override(text)
        if override.is_sweep_override():
            return _problem(text, "gives several values; one run takes one, and a list stands in brackets: [1,2]")
        value = override.value()
    except (HydraException, OmegaConfBaseException) as error:
        reason = str(error).splitlines()[0]
        return _problem(text, f"is not in Hydra's grammar: {reason}; {_QUOTE}")
    return _override(text, override.key_or_group, value, remove=override.is_delete())


def _override(text: str, key: str, value: object, *, remove: bool) -> Override | Problem:
    names = tuple(key.split("."))
    if key == _NEST:
        return _problem(text, "the workload is chosen by CONFIG, not by an override")
    if names[0] == "hydra":
        return _problem(text, "there is no Hydra here to configure; see --results for the results folder")
    path = names[1:] if names[0] == _NEST else names
    if not all(path):
        return _problem(text, "a part of the key is empty")
    settings = () if remove else tuple(flatten(value, path, lambda _: None, ORIGIN))
    return Override(path, settings)


def _problem(text: str, message: str) -> Problem:
    """Names the override; of one that may hold a secret, its key alone."""
    key, separator, _ = text.partition("=")
    if any(word in key.lower() for word in _SECRET_WORDS):
        return Problem(key, f"expected key=value in Hydra's grammar; {_QUOTE}", ORIGIN)
    return Problem(text if separator else key, message, ORIGIN)
