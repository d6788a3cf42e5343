# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unpacking HDF5 chunks: deflate and shuffle here, every other filter by h5py, which is counted.

h5py unpacks a chunk that was read by us through a file in memory with a data set of one chunk and the same filters: the
packed bytes are put there as they are, and read back unpacked.
"""

import itertools
import zlib
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from dl_driver.errors import FormatError

_DEFLATE, _SHUFFLE = 1, 2
_numbers = itertools.count()
"""Names of the files in memory, which HDF5 wants to differ."""

Bytes = NDArray[np.uint8]


class ChunkDecoder:
    """For the chunks of one data set."""

    def __init__(self, data_set: Any) -> None:
        properties = data_set.id.get_create_plist()
        self.filters = tuple(properties.get_filter(number)[0] for number in range(properties.get_nfilters()))
        self.chunk = tuple(data_set.chunks)
        self._item = data_set.dtype.itemsize
        self.chunk_bytes = int(np.prod(self.chunk, dtype=np.int64)) * self._item
        self.by_h5py = 0
        """Chunks that h5py unpacked."""
        self._properties, self._kind = properties, data_set.id.get_type()
        self._helper: Any = None

    def unpack(self, packed: memoryview, mask: int) -> Bytes:
        """The chunk's bytes. Raises FormatError where they are damaged."""
        applied = [code for number, code in enumerate(self.filters) if not mask >> number & 1]
        if all(code in (_DEFLATE, _SHUFFLE) for code in applied):
            data = np.frombuffer(packed, np.uint8)
            for code in reversed(applied):
                data = self._inflate(data) if code == _DEFLATE else self._unshuffle(data)
        else:
            data = self._through_h5py(packed, mask)
        if data.size != self.chunk_bytes:
            raise FormatError(f"a chunk has {data.size} bytes unpacked, expected {self.chunk_bytes}")
        return data

    def _inflate(self, packed: Bytes) -> Bytes:
        unpacker: Any = isal_zlib.decompressobj()
        try:
            data = unpacker.decompress(packed, self.chunk_bytes + 1)
        except (zlib.error, _ISAL_ERROR) as error:
            raise FormatError(f"a packed chunk is damaged: {error}") from error
        if not unpacker.eof:
            raise FormatError("a packed chunk does not end where its data set says")
        return np.frombuffer(data, np.uint8)

    def _unshuffle(self, data: Bytes) -> Bytes:
        """The first bytes of all elements stand first, then the second ones, and so on; what is left over stays."""
        count = data.size // self._item
        whole = count * self._item
        out = np.empty_like(data)
        out[:whole].reshape(count, self._item)[...] = data[:whole].reshape(self._item, count).T
        out[whole:] = data[whole:]
        return out

    def _through_h5py(self, packed: memoryview, mask: int) -> Bytes:
        self.by_h5py += 1
        out = np.empty(self.chunk_bytes, np.uint8)
        try:
            if self._helper is None:
                self._helper = self._make_helper()
            self._helper.id.write_direct_chunk((0,) * len(self.chunk), bytes(packed), mask)
            self._helper.read_direct(out.view(self._helper.dtype).reshape(self.chunk))
        except (OSError, RuntimeError, ValueError) as error:
            raise FormatError(f"h5py cannot unpack a chunk: {error}") from error
        return out

    def _make_helper(self) -> Any:
        import h5py

        file = h5py.File(f"chunk-{next(_numbers)}", "w", driver="core", backing_store=False)
        space = h5py.h5s.create_simple(self.chunk)
        return h5py.Dataset(h5py.h5d.create(file.id, b"chunk", self._kind, space, dcpl=self._properties))


_ISAL_ERROR: Any = isal_zlib.error
