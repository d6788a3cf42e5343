# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every key of a workload, for completion in a shell."""

from collections.abc import Iterator

from dl_driver.config.schema import Workload
from dl_driver.config.sections.base import Section

_PREFIXES = ("++workload.", "++", "+", "workload.")


def known_keys(model: type[Section] = Workload, above: str = "") -> Iterator[str]:
    """Dotted keys of all values."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from known_keys(kind, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def complete_key(incomplete: str) -> list[str]:
    """The overrides that a beginning may become, up to their ``=``."""
    prefix = next((one for one in _PREFIXES if incomplete.startswith(one)), "")
    begun = incomplete.removeprefix(prefix)
    return [f"{prefix}{key}=" for key in known_keys() if key.startswith(begun)]
