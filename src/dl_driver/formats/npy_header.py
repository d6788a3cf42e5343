# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The header before an array's bytes in NPY, alone or as a member of an NPZ.

Magic, version, length, then a Python literal: ``{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }``.
"""

import ast
import io
import re
import warnings
from collections.abc import Generator
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from dl_driver.errors import FormatError
from dl_driver.formats.magic import looks_like
from dl_driver.formats.walk import Pass, Structure, Take

_MAGIC = b"\x93NUMPY"
_MAX_LENGTH = 10_000
"""NumPy's own limit: a longer literal is not safe to evaluate."""
_MAX_DIMENSIONS = 64
_MAX_BYTES = 2**63 - 1
_TYPESTR = re.compile(r"[<>|=](?:[biufcSUV]\d{1,9}|[mM]8(?:\[\w{1,20}\])?)")
_KEYS = {"descr", "fortran_order", "shape"}


class NpyHeader(NamedTuple):
    """What an NPY header says."""

    dtype: str
    """NumPy's typestr."""
    fortran_order: bool
    shape: tuple[int, ...]
    raw: bytes
    """The header itself."""

    @property
    def payload_bytes(self) -> int:
        """Bytes of the array's data."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize


@lru_cache(maxsize=1024)
def build_npy_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    """The header that the installed NumPy writes for a C-ordered array."""
    out = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(out, {"descr": descr, "fortran_order": False, "shape": shape})
    return out.getvalue()


def read_npy_header(structure: Structure, what: str, limit: int | None) -> Generator[Take | Pass, Any, NpyHeader]:
    """The header at the structure's position. ``limit``: bytes of the member it starts, where known."""
    _check_room(limit, 10, what)
    start: bytes = yield from structure.take(8, f"the NPY header of {what}")
    if start[:6] != _MAGIC:
        raise FormatError(
            f"{what}: no NPY data: they begin with {start[:6]!r} instead of {_MAGIC!r}{looks_like(start)}"
        )
    version = (start[6], start[7])
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise FormatError(f"{what}: NPY version {version[0]}.{version[1]} is unknown; expected 1.0, 2.0 or 3.0")
    width = 2 if version == (1, 0) else 4
    _check_room(limit, 8 + width, what)
    counted: bytes = yield from structure.take(width, f"the NPY header of {what}")
    length = int.from_bytes(counted, "little")
    if length > _MAX_LENGTH:
        raise FormatError(f"{what}: its NPY header claims {length} bytes; at most {_MAX_LENGTH} are read")
    _check_room(limit, 8 + width + length, what)
    text: bytes = yield from structure.take(length, f"the NPY header of {what}")
    encoding = "latin-1" if version < (3, 0) else "utf-8"
    dtype, fortran_order, shape = interpret_npy_header(text.decode(encoding, "replace"), what)
    return NpyHeader(dtype, fortran_order, shape, start + counted + text)


def _check_room(limit: int | None, needed: int, what: str) -> None:
    if limit is not None and limit < needed:
        raise FormatError(f"{what}: {limit} bytes hold no NPY header, which needs {needed} or more")


@lru_cache(maxsize=4096)
def interpret_npy_header(text: str, what: str) -> tuple[str, bool, tuple[int, ...]]:
    """The literal's three entries, each checked. Messages quote the text, not the values, which may be monstrous."""
    literal = _literal(text)
    if not isinstance(literal, dict) or literal.keys() != _KEYS:
        raise FormatError(f"{what}: its NPY header is no dictionary of descr, fortran_order and shape: {_quote(text)}")
    if not isinstance(literal["fortran_order"], bool):
        raise FormatError(f"{what}: fortran_order must be True or False: {_quote(text)}")
    dtype = _dtype(literal["descr"], text, what)
    return dtype.str, literal["fortran_order"], _shape(literal["shape"], dtype.itemsize, text, what)


def _quote(text: str) -> str:
    return repr(text[:120].rstrip())


def _literal(text: str) -> object:
    """The Python value, or None. Python 2 wrote its long integers with an L behind them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(re.sub(r"(?<=\d)L(?=[,)])", "", text).strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _dtype(descr: object, text: str, what: str) -> "np.dtype[Any]":
    if isinstance(descr, str) and descr[1:2] == "O":
        raise FormatError(f"{what}: holds pickled Python objects, which are never loaded: {_quote(text)}")
    if not isinstance(descr, str) or not _TYPESTR.fullmatch(descr):
        raise FormatError(f"{what}: expected a plain dtype such as '<f4': {_quote(text)}")
    try:
        dtype = np.dtype(descr)
    except (TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"{what}: there is no dtype {descr!r}: {error}") from error
    if dtype.itemsize == 0:
        raise FormatError(f"{what}: dtype {descr!r} has items of no bytes")
    return dtype


def _shape(shape: object, itemsize: int, text: str, what: str) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(type(side) is int and side >= 0 for side in shape):
        raise FormatError(f"{what}: its shape must be a tuple of whole numbers: {_quote(text)}")
    if len(shape) > _MAX_DIMENSIONS or prod(side or 1 for side in shape) * itemsize > _MAX_BYTES:
        raise FormatError(f"{what}: its shape is beyond any memory: {_quote(text)}")
    return shape
