# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an image file says of itself before its pixels: which kind it is, and what its pixels take in memory.

Decoders are given only files whose structure was found right here, and only where there is room for their pixels: so a
damaged file is an error that says what is wrong, and one that claims to be enormous costs nothing.
"""

import math
from dataclasses import dataclass
from enum import Enum


class ImageKind(Enum):
    """What a file is by its first bytes, whatever its name says."""

    JPEG = "JPEG"
    PNG = "PNG"


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """The pixels as they are delivered."""

    kind: ImageKind
    height: int
    width: int
    channels: int
    """1: grey; 2: grey and alpha; 3: RGB; 4: RGBA of PNG, CMYK of JPEG."""
    dtype: str = "|u1"
    """NumPy's typestr."""
    indexed: bool = False
    """PNG: the file holds numbers of colours in a palette; delivered as RGB."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, columns and, of more than one, channels."""
        return (self.height, self.width) if self.channels == 1 else (self.height, self.width, self.channels)

    @property
    def nbytes(self) -> int:
        """Of all pixels."""
        return math.prod(self.shape) * (1 if self.dtype == "|u1" else 2)
