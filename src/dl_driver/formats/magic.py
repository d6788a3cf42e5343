# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a file's first bytes say it is, whatever its name says."""

from typing import NamedTuple

HEAD_BYTES = 8
"""So many tell."""


class Kind(NamedTuple):
    """What begins in a certain way."""

    words: str
    """Such as "an HDF5"."""
    formats: frozenset[str]
    """Those whose files are of this kind; empty for a compression, in which anything may be."""


_IMAGES = frozenset({"jpeg", "png"})
_KINDS = {
    b"\x93NUM": Kind("an NPY", frozenset({"npy"})),
    b"PK\3\4": Kind("a ZIP or NPZ", frozenset({"npz"})),
    b"\x89HDF": Kind("an HDF5", frozenset({"hdf5"})),
    b"\x89PNG": Kind("a PNG", _IMAGES),
    b"\xff\xd8\xff": Kind("a JPEG", _IMAGES),
    b"PAR1": Kind("a Parquet", frozenset({"parquet"})),
    b"\x1f\x8b": Kind("a gzip", frozenset()),
    b"\x28\xb5\x2f\xfd": Kind("a Zstandard", frozenset()),
    b"\x04\x22\x4d\x18": Kind("an LZ4", frozenset()),
}
_NEVER = frozenset({"npz", "npy", "hdf5", "jpeg", "png", "parquet", "csv", "jsonl"})
"""Formats whose uncompressed files never begin like one of another kind."""


def kind_of(head: bytes) -> Kind | None:
    """What a file with these first bytes (four or more) is; None where they are nothing known."""
    return next((kind for magic, kind in _KINDS.items() if head.startswith(magic)), None)


def contradicts(head: bytes, format_name: str) -> Kind | None:
    """What a file is that cannot be of this format, uncompressed; None where it may be."""
    kind = kind_of(head)
    return kind if kind is not None and format_name in _NEVER and format_name not in kind.formats else None


def looks_like(start: bytes) -> str:
    """The end of a sentence that says so; empty where the first bytes are nothing known."""
    kind = kind_of(start)
    return "" if kind is None else f"; it starts like {kind.words} file: check dataset.format and dataset.compression"
