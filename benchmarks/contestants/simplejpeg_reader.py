# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""simplejpeg alone, in one process: each file is read by ``read()`` and decoded, into a fresh array or a used one."""

import argparse
from pathlib import Path

import numpy as np
from simplejpeg import decode_jpeg, decode_jpeg_header

from benchmarks.contestants.serve import serve


def main() -> None:
    """Read FOLDER in turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--colour", choices=("GRAY", "RGB"), required=True)
    parser.add_argument("--min-seconds", type=float, required=True)
    parser.add_argument("--reuse", action="store_true", help="decode into one array, made once")
    options = parser.parse_args()
    paths = sorted(str(path) for path in options.folder.iterdir())
    sizes = (decode_jpeg_header(Path(path).read_bytes())[:2] for path in paths)
    channels = 3 if options.colour == "RGB" else 1
    buffer = np.empty(max(height * width for height, width in sizes) * channels, np.uint8) if options.reuse else None

    def epoch() -> tuple[int, int]:
        num_bytes = touched = 0
        for path in paths:
            with open(path, "rb") as file:
                data = file.read()
            pixels = decode_jpeg(data, options.colour, buffer=buffer)
            touched += int(pixels.item(0))
            num_bytes += len(data)
        return len(paths), num_bytes

    serve(epoch, options.min_seconds)


if __name__ == "__main__":
    main()
