# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pieces of a file that were written in any order, over each other."""

from collections.abc import Sequence

import numpy as np

from dl_driver.storage.base import Piece


def merged(writes: Sequence[Piece]) -> tuple[Piece, ...]:
    """All of them, later bytes over earlier ones, ascending and apart from each other."""
    spans: list[tuple[int, bytearray]] = []
    for offset, data in sorted(writes, key=lambda piece: piece.offset):
        if spans and offset <= spans[-1][0] + len(spans[-1][1]):
            at = offset - spans[-1][0]
            spans[-1][1].extend(bytes(max(0, at + len(data) - len(spans[-1][1]))))
        else:
            spans.append((offset, bytearray(len(data))))
    starts = [start for start, _ in spans]
    for offset, data in writes:
        number = int(np.searchsorted(starts, offset, side="right")) - 1
        at = offset - starts[number]
        spans[number][1][at : at + len(data)] = data
    return tuple(Piece(start, bytes(data)) for start, data in spans)
