# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compressed streams of every kind behind two small interfaces: one takes plain bytes and gives packed ones, the other
goes back.

Only the codec that is chosen is imported. Where a stream can carry a checksum of its content, it does, so that a
changed byte is noticed.
"""

import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from dl_driver.formats.magic import kind_of


class Packer(Protocol):
    """Makes one stream."""

    def compress(self, data: Any, /) -> bytes:
        """Some of the stream, perhaps none."""
        ...

    def flush(self) -> bytes:
        """Its end."""
        ...


class Unpacker(Protocol):
    """Goes through one stream, as ``bz2.BZ2Decompressor`` does."""

    @property
    def eof(self) -> bool:
        """Whether the stream is over, and whole."""
        ...

    @property
    def needs_input(self) -> bool:
        """False while there is more to be had without further input."""
        ...

    @property
    def unused_data(self) -> bytes | None:
        """What came behind the stream's end."""
        ...

    def decompress(self, data: Any, /, max_length: int = -1) -> bytes:
        """The next bytes, at most so many."""
        ...


@dataclass(frozen=True, slots=True)
class Codec:
    """One way to pack."""

    suffix: str
    """What file names get behind their own suffix; empty where there is no custom."""
    packer: Callable[[int], Packer]
    """Of an effort from 0 to 9."""
    unpacker: Callable[[], Unpacker]
    errors: tuple[type[Exception], ...]
    """What it raises for a stream that is damaged."""
    kind: str = ""
    """What a file that starts with its stream is (magic.Kind.words)."""


def _gzip() -> Codec:
    from isal import igzip_lib

    return _deflate("gz", 31, igzip_lib.DECOMP_GZIP, "a gzip")


def _zlib() -> Codec:
    from isal import igzip_lib

    return _deflate("", 15, igzip_lib.DECOMP_ZLIB)


def _deflate(suffix: str, window_bits: int, flag: int, kind: str = "") -> Codec:
    """Written by zlib, which has all efforts, and unpacked by ISA-L, which is faster."""
    from isal import igzip_lib

    errors: Any = igzip_lib.IsalError
    return Codec(
        suffix,
        lambda level: zlib.compressobj(level, wbits=window_bits),
        lambda: igzip_lib.IgzipDecompressor(flag=flag),
        (errors,),
        kind,
    )


def _bz2() -> Codec:
    import bz2

    return Codec("bz2", lambda level: bz2.BZ2Compressor(max(1, level)), bz2.BZ2Decompressor, (OSError, ValueError))


def _xz() -> Codec:
    import lzma

    return Codec("xz", lambda level: lzma.LZMACompressor(preset=level), lzma.LZMADecompressor, (lzma.LZMAError,))


def _zstd() -> Codec:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    def packer(level: int) -> Packer:
        parameter = zstd.CompressionParameter
        return zstd.ZstdCompressor(options={parameter.compression_level: level, parameter.checksum_flag: 1})

    return Codec("zst", packer, zstd.ZstdDecompressor, (zstd.ZstdError,), "a Zstandard")


def _lz4() -> Codec:
    import lz4.frame

    return Codec("lz4", lambda _: _Lz4Packer(), lz4.frame.LZ4FrameDecompressor, (RuntimeError,), "an LZ4")


class _Lz4Packer:
    """LZ4's frame begins with a call of its own. Its fastest effort, the one that LZ4 is chosen for."""

    def __init__(self) -> None:
        import lz4.frame

        self._inner: Any = lz4.frame.LZ4FrameCompressor(content_checksum=True, auto_flush=False)
        self._begun = False

    def compress(self, data: Any, /) -> bytes:
        """See Packer."""
        return self._begin() + bytes(self._inner.compress(data))

    def flush(self) -> bytes:
        """See Packer."""
        return self._begin() + bytes(self._inner.flush())

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return bytes(self._inner.begin())


_CODECS: dict[str, Callable[[], Codec]] = {
    "gzip": _gzip, "zlib": _zlib, "bz2": _bz2, "xz": _xz, "zstd": _zstd, "lz4": _lz4,
}  # fmt: skip
_SUFFIXES = {"gzip": "gz", "bz2": "bz2", "xz": "xz", "zstd": "zst", "lz4": "lz4", "zip": "zip"}
_BY_SUFFIX = {suffix: name for name, suffix in _SUFFIXES.items()}

WHOLE_FILES = frozenset(_SUFFIXES)
"""Values of ``dataset.compression`` that pack a file as it is, and say so by its name."""


@cache
def codec(name: str) -> Codec:
    """The codec of that name, a value of ``dataset.compression``."""
    return _CODECS[name]()


def packed_suffix(compression: str) -> str:
    """What a file's name ends in where it is packed so, with its dot, such as ``.gz``."""
    return f".{_SUFFIXES[compression]}"


def by_suffix(suffix: str) -> str | None:
    """The compression that a name's last suffix tells; None where it tells none."""
    return _BY_SUFFIX.get(suffix.lower())


def looks_otherwise(compression: str, data: memoryview) -> str:
    """The end of a sentence, where a stream's first bytes are those of something else; empty where they are not."""
    kind = kind_of(bytes(data[:8]))
    if kind is None or kind.words == codec(compression).kind:
        return ""
    return f"; it starts like {kind.words} file: check dataset.compression"
