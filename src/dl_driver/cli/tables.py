# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain tables for a terminal, a pipe or a file alike."""

from collections.abc import Collection, Sequence


def render(heads: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """Columns two spaces apart; those numbered ``left`` to the left, the others to the right."""
    widths = [max(len(line[column]) for line in (heads, *rows)) for column in range(len(heads))]
    return "\n".join(_line(line, widths, left) for line in (heads, *rows))


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    """A name and a value a line."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}".rstrip() for name, value in rows)


def _line(cells: Sequence[str], widths: Sequence[int], left: Collection[int]) -> str:
    padded = [
        cell.ljust(width) if column in left else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()
