# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Spans of one shape read at once: what the storage is asked for, and where each of them lands."""

from dataclasses import dataclass

import numpy as np

from dl_driver.formats.spans import SpanShape
from dl_driver.loader.sizing import LINE
from dl_driver.storage.base import Spread


@dataclass(frozen=True, slots=True)
class Landing:
    """How spans of a shape are read at once and where they land."""

    first: int
    """Bytes before the first span that are read with it, because the storage reads whole blocks."""
    spread: Spread
    length: int
    """Bytes that are read."""
    room: int
    """Bytes of memory."""
    starts: list[int]
    """Where each span's first byte lands."""
    lengths: list[int]
    """Of each span."""

    def least(self, end: int) -> int:
        """What arrives of an object that ends at this distance from the read's first byte."""
        return int(np.clip(end - self.spread.offsets, 0, self.spread.lengths).sum())


def landing_of(shape: SpanShape, skip: int, alignment: int) -> Landing:
    """The landing of spans of which the first begins ``skip`` bytes behind a multiple of the alignment."""
    unit, wanted = max(LINE, alignment), shape.offsets + skip
    begins = wanted - wanted % alignment
    lengths = -(-(wanted + shape.lengths - begins) // alignment) * alignment
    rooms = -(-lengths // unit) * unit
    places = np.cumsum(rooms) - rooms
    starts = (places + wanted - begins).tolist()
    return Landing(
        skip, Spread(begins, lengths, places), int(lengths.sum()), int(rooms.sum()), starts, shape.lengths.tolist()
    )
