# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python tools/fuzz_image_header.py [EXECUTIONS [SEED]]``: damaged images for the parsers of their headers.

Whatever the bytes are, they are an image or a FormatError. Every input is a function of the seed and its number: one of
a few valid files, damaged in some places; half of the damaged PNG files have their checksums put right again.
"""

import io
import struct
import sys
import zlib
from random import Random
from time import perf_counter

import numpy as np
from PIL import Image

from dl_driver.dataset.content import FileContent
from dl_driver.errors import FormatError
from dl_driver.formats import get_format
from dl_driver.formats.base import RecordSpec
from dl_driver.formats.images import check_image, read_image_header

_PNG_START = 8
_VALUES = (0, 1, 2, 0x7F, 0x80, 0xC0, 0xC4, 0xD8, 0xD9, 0xDA, 0xE1, 0xFE, 0xFF)


def seeds() -> list[bytes]:
    """Valid files: our own, and Pillow's of many kinds."""
    spec = RecordSpec((24, 17), "uint8", 1)
    pieces = (get_format(name).encode(spec, FileContent(1, 0).fill) for name in ("jpeg", "png"))
    files = [b"".join(bytes(data) for _, data in one) for one in pieces]
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (9, 13, 3), np.uint8))
    exif = Image.Exif()
    exif[0x010E] = "a description"
    files += [_saved(noise.convert(mode), "JPEG", exif=exif, progressive=progressive)
              for mode in ("L", "RGB", "CMYK") for progressive in (False, True)]  # fmt: skip
    files += [_saved(noise.convert(mode), "PNG") for mode in ("1", "L", "LA", "RGB", "RGBA", "I;16")]
    return [*files, _saved(noise.quantize(7), "PNG")]


def fuzz_image_header(data: bytes) -> bool:
    """Any bytes are an image or a FormatError, by their beginning and as a whole; whether they are an image."""
    view, headers = memoryview(data), []
    for look in (read_image_header, check_image):
        try:
            headers.append(look(view))
        except FormatError:
            headers.append(None)
    begun, whole = headers
    assert whole is None or begun == whole, (begun, whole)
    assert begun is None or 0 < begun.nbytes < 1 << 66
    return whole is not None


def repair_checksums(data: bytearray) -> None:
    """Make a PNG file's CRCs right again, as far as its chunks can be followed."""
    at = _PNG_START
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4])
        if end + 4 > len(data):
            return
        struct.pack_into(">I", data, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4


def damaged(files: list[bytes], random: Random) -> bytes:
    """One of the files, changed."""
    data = bytearray(random.choice(files))
    for _ in range(random.randrange(1, 4)):
        _damage(data, random)
    if data.startswith(b"\x89PNG") and random.random() < 0.5:
        repair_checksums(data)
    return bytes(data)


def _damage(data: bytearray, random: Random) -> None:
    at = random.randrange(min(len(data), random.choice((64, 700, 1 << 30)))) if data else 0
    kind = random.randrange(6)
    if kind == 0 and data:
        data[at] ^= 1 << random.randrange(8)
    elif kind == 1 and data:
        data[at] = random.choice(_VALUES)
    elif kind == 2:
        del data[at:]
    elif kind == 3:
        del data[at : at + random.randrange(1, 40)]
    elif kind == 4:
        data[at:at] = bytes(random.choice(_VALUES) for _ in range(random.randrange(1, 9)))
    else:
        start = random.randrange(len(data) + 1)
        data[at:at] = data[start : start + random.randrange(1, 60)]


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    into = io.BytesIO()
    image.save(into, kind, **options)  # type: ignore[arg-type]
    return into.getvalue()


def main() -> int:
    """Status 1 with a traceback at the first input that is neither."""
    given = [int(text) for text in sys.argv[1:]]
    executions, seed = (*given, *(1_000_000, 0)[len(given) :])
    files, taken, begun = seeds(), 0, perf_counter()
    assert all(fuzz_image_header(data) for data in files)
    for number in range(executions):
        data = damaged(files, Random(f"{seed}/{number}"))
        try:
            taken += fuzz_image_header(data)
        except BaseException:
            sys.stderr.write(f"seed {seed}, number {number}: {data.hex()}\n")
            raise
    seconds = perf_counter() - begun
    other = executions - taken
    sys.stdout.write(f"{executions:,} inputs in {seconds:.0f} s: {taken:,} were images, {other:,} a FormatError\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
