# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""JPEG and PNG: conformance, sizes by hand, other programs' files, and what is refused."""

import io
import struct
import zlib
from collections.abc import Mapping

import numpy as np
import pytest
from PIL import Image

from dl_driver.dataset.content import FileContent
from dl_driver.errors import ConfigError, DataError, FormatError
from dl_driver.formats import detect_format, get_format
from dl_driver.formats.base import FormatOptions, Reading, RecordSpec, SparseFile, views
from dl_driver.formats.spans import WHOLE, Group, Landed, Span, WholeFile
from dl_driver.testing.formats import Array, FormatConformance, Written

PASSED_ON = FormatOptions(decode=False)


def encoded(name: str, dims: tuple[int, ...], file: int = 0, seed: int = 1) -> bytes:
    spec = RecordSpec(dims, "uint8", 1)
    pieces = get_format(name).encode(spec, FileContent(seed, file, "uint8").fill)
    return b"".join(bytes(data) for _, data in pieces)


def decoded(data: bytes, name: str = "jpeg", room: int = 1 << 22, options: FormatOptions | None = None) -> Array:
    """As a worker does it, from memory of odd alignment."""
    file_format = get_format(name, options or FormatOptions())
    landed = Landed(memoryview(bytearray(b"?" + data + b"?")), [1], [len(data)])
    into = memoryview(bytearray(room))
    (placed,) = file_format.decode_group(WholeFile(1), Group((Span(0, WHOLE),), (0,)), landed, into)
    source = into if file_format.reading(1) is Reading.UNPACKED else landed.data
    return views(source[placed.start : placed.start + placed.length], placed.layout)["x"]


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    into = io.BytesIO()
    image.save(into, kind, **options)  # type: ignore[arg-type]
    return into.getvalue()


def by_pillow(data: bytes) -> Array:
    return np.asarray(Image.open(io.BytesIO(data)))


def whole(sparse: SparseFile | None) -> bytes:
    assert sparse is not None
    data = bytearray(sparse.size)
    for offset, piece in sparse.pieces:
        data[offset : offset + len(piece)] = piece
    return bytes(data)


class ImageConformance(FormatConformance):
    """One image a file; samples are what Pillow makes of the file."""

    specs = (RecordSpec((40, 30), "uint8", 1), RecordSpec((64, 129), "uint8", 1), RecordSpec((3, 2), "uint8", 1))

    def check_arrays(self, written: Written, file: int, sample: int, arrays: Mapping[str, Array]) -> None:
        """See FormatConformance."""
        (x,) = arrays.values()
        assert np.array_equal(x, by_pillow(self.original(written, file)))

    def original(self, written: Written, file: int) -> bytes:
        """The file as it was written, whatever was done to it since."""
        spec, content = written.spec, FileContent(7, file, "uint8")
        return b"".join(bytes(data) for _, data in written.format.encode(spec, content.fill))


class TestJpegConformance(ImageConformance):
    format_name = "jpeg"
    finds_flips = False

    def test_a_sparse_file_is_a_file_of_zeros(self, written: Written) -> None:
        """It is a file of the same size, and of noise, so that it takes as long to decode."""
        data = whole(written.format.sparse(written.spec))
        assert len(data) == written.format.file_size(written.spec)
        for number in range(2):
            written.replace(data, number)
        for _, _, arrays in written.samples():
            assert np.array_equal(arrays["x"], by_pillow(data))


class TestPngConformance(ImageConformance):
    format_name = "png"

    def check_arrays(self, written: Written, file: int, sample: int, arrays: Mapping[str, Array]) -> None:
        """See FormatConformance: pixels are the content itself."""
        (x,) = arrays.values()
        assert x.tobytes() == written.content(file, sample)
        assert x.shape == written.spec.dims


class TestPngPassedOn(ImageConformance):
    format_name = "png"
    options = PASSED_ON

    def check_arrays(self, written: Written, file: int, sample: int, arrays: Mapping[str, Array]) -> None:
        """See FormatConformance: the stored bytes."""
        stored = arrays["x"].tobytes()
        assert stored.startswith(self.original(written, file))

    def test_a_sparse_file_is_a_file_of_zeros(self, written: Written) -> None:
        """Its pixels are."""
        assert not decoded(whole(written.format.sparse(written.spec)), "png").any()


del FormatConformance, ImageConformance


class TestSizes:
    """By hand."""

    # Headers: 2 + 18 + 69 + 13 + 2 * 29 + 10 = 170; the end marker: 2; blocks of 2 to 64 bytes between.
    @pytest.mark.parametrize(
        ("dims", "size"),
        [
            ((568, 568), 568 * 568),  # retinanet: record_length_bytes 322957 is a square of side 568
            ((338, 338), 338 * 338),  # resnet50's records, with sides that are no multiple of 8
            ((40, 30), 1200),
            ((1, 65000), 65000),
            ((13, 7), 170 + 2 * 2 + 2),  # too small for its own headers
            ((3, 2), 170 + 2 + 2),
        ],
    )
    def test_a_jpeg_is_as_long_as_its_record(self, dims: tuple[int, int], size: int) -> None:
        data = encoded("jpeg", dims)
        assert len(data) == size
        assert get_format("jpeg").file_size(RecordSpec(dims, "uint8", 1)) == size
        assert by_pillow(data).shape == dims

    @pytest.mark.parametrize("length", [322_957, 114_660, 65_536, 10_000, 1_700])
    @pytest.mark.parametrize("name", ["jpeg", "png"])
    def test_the_configured_size_within_five_percent(self, name: str, length: int) -> None:
        side = int(length**0.5)
        size = get_format(name).file_size(RecordSpec((side, side), "uint8", 1))
        assert size is not None
        assert abs(size - length) <= 0.05 * length + 150 * (name == "png")

    # 8 signature, 25 IHDR, 12 IEND, 2 + 4 around the stream, and for each chunk 12 around stored blocks of 5 + bytes.
    @pytest.mark.parametrize(
        ("dims", "size"),
        [
            ((3, 2), 51 + 12 + 5 + 3 * 3),
            ((568, 568), 51 + 5 * (12 + 5) + 568 * 569),  # 65535 // 569 = 115 rows a chunk
            ((2, 100_000), 51 + 2 * (12 + 2 * 5 + 100_001)),  # a row is longer than a stored block
            ((2, 65_534), 51 + 2 * (12 + 5 + 65_535)),
        ],
    )
    def test_a_png_by_its_chunks(self, dims: tuple[int, int], size: int) -> None:
        assert len(encoded("png", dims)) == size
        assert get_format("png").file_size(RecordSpec(dims, "uint8", 1)) == size

    def test_generated_jpegs_do_not_compress_and_differ(self) -> None:
        one, other = encoded("jpeg", (568, 568), 0), encoded("jpeg", (568, 568), 1)
        assert len(zlib.compress(one, 9)) > 0.99 * len(one)
        assert one[:170] == other[:170]
        assert one[170:1000] != other[170:1000]
        pixels = by_pillow(one)
        assert 120 < pixels.mean() < 136
        assert pixels.std() > 50

    def test_a_jpeg_longer_than_a_window(self) -> None:
        data = encoded("jpeg", (1501, 1203))
        assert len(data) == 1501 * 1203
        assert np.array_equal(decoded(data), by_pillow(data))

    def test_no_byte_needs_stuffing(self) -> None:
        data = encoded("jpeg", (568, 568))
        assert data[170:-2].count(0xFF) == 0


class TestOtherWriters:
    """Pillow's files, as numpy.asarray(Image.open(file)) has them."""

    @pytest.fixture
    def noise(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
        return np.random.default_rng(3).integers(0, 256, (61, 45, 4), np.uint8)

    @pytest.mark.parametrize("quality", [10, 75, 100])
    @pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}, {"restart_marker_blocks": 3}])
    @pytest.mark.parametrize("mode", ["L", "RGB"])
    def test_jpeg(self, noise: Array, mode: str, options: Mapping[str, object], quality: int) -> None:
        image = Image.fromarray(noise[..., :3], "RGB").convert(mode)
        data = saved(image, "JPEG", quality=quality, **options)
        assert np.array_equal(decoded(data), by_pillow(data))

    @pytest.mark.parametrize("subsampling", [0, 1, 2])
    def test_jpeg_subsampled(self, noise: Array, subsampling: int) -> None:
        data = saved(Image.fromarray(noise[..., :3], "RGB"), "JPEG", subsampling=subsampling)
        assert np.array_equal(decoded(data), by_pillow(data))

    def test_jpeg_with_exif_and_comment(self, noise: Array) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6  # the camera was turned: pixels are delivered as they are stored
        data = saved(
            Image.fromarray(noise[..., 0]), "JPEG", exif=exif, comment=b"\xff\xd9 inside", icc_profile=b"i" * 70000
        )
        assert np.array_equal(decoded(data), by_pillow(data))
        assert decoded(data).shape == (61, 45)

    def test_jpeg_in_cmyk_by_pillow(self, noise: Array) -> None:
        data = saved(Image.fromarray(noise, "CMYK"), "JPEG")
        file_format = get_format("jpeg")
        landed = Landed(memoryview(bytearray(data)), [0], [len(data)])
        into = memoryview(bytearray(noise.nbytes))
        file_format.decode_group(WholeFile(1), Group((Span(0, WHOLE),), (0,)), landed, into)
        assert into.tobytes() == by_pillow(data).tobytes()
        assert file_format.report() == {"images decoded by Pillow": 1}

    def test_jpeg_with_something_behind_it(self, noise: Array) -> None:
        data = saved(Image.fromarray(noise[..., 0]), "JPEG")
        assert np.array_equal(decoded(data + b"motion photo"), by_pillow(data))

    @pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
    @pytest.mark.parametrize("level", [0, 6])
    def test_png(self, noise: Array, mode: str, level: int) -> None:
        image = Image.fromarray(noise, "RGBA").convert(mode)
        data = saved(image, "PNG", compress_level=level)
        assert np.array_equal(decoded(data, "png"), by_pillow(data))

    @pytest.mark.parametrize("colours", [2, 4, 13, 200])
    def test_png_with_a_palette_is_rgb(self, noise: Array, colours: int) -> None:
        data = saved(Image.fromarray(noise[..., :3], "RGB").quantize(colours), "PNG")
        assert np.array_equal(decoded(data, "png"), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))

    def test_png_of_one_bit_is_black_and_white(self, noise: Array) -> None:
        data = saved(Image.fromarray(noise[..., 0]).convert("1"), "PNG")
        assert np.array_equal(decoded(data, "png"), by_pillow(data).astype(np.uint8) * 255)

    def test_png_of_sixteen_bits(self) -> None:
        pixels = np.random.default_rng(4).integers(0, 65536, (9, 11), np.uint16)
        found = decoded(saved(Image.fromarray(pixels), "PNG"), "png")
        assert found.dtype == np.uint16
        assert np.array_equal(found, pixels)

    @pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
    @pytest.mark.parametrize(("depth", "dtype"), [(8, ">u1"), (16, ">u2")])
    def test_png_of_every_kind_written_by_hand(self, colour: int, channels: int, depth: int, dtype: str) -> None:
        pixels = np.random.default_rng(5).integers(0, 1 << depth, (5, 7, channels)).astype(dtype)
        found = decoded(png_by_hand(pixels, colour, depth), "png")
        assert np.array_equal(found, pixels[..., 0] if channels == 1 else pixels)

    def test_png_interlaced(self) -> None:
        """In the seven passes of Adam7: first row and column of each, and its steps."""
        passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
        pixels = np.random.default_rng(8).integers(0, 256, (13, 18), np.uint8)
        parts = (pixels[row::down, column::across] for row, column, down, across in passes)
        lines = b"".join(b"\0" + line.tobytes() for part in parts for line in part if line.size)
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 18, 13, 8, 0, 0, 0, 1))
        body = chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
        assert np.array_equal(decoded(b"\x89PNG\r\n\x1a\n" + header + body, "png"), pixels)

    def test_a_png_among_jpegs(self, noise: Array) -> None:
        data = saved(Image.fromarray(noise[..., 0]), "PNG")
        assert np.array_equal(decoded(data, "jpeg"), noise[..., 0])


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_by_hand(pixels: Array, colour: int, depth: int) -> bytes:
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


class TestRefusals:
    @pytest.mark.parametrize("name", ["jpeg", "png"])
    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            (
                RecordSpec((2, 3, 4), "uint8", 1),
                "format does not support more than 2 dimensions, but got 3 dimensions.",
            ),
            (RecordSpec((7,), "uint8", 1), "[1, N] is one row"),
            (RecordSpec((7, 7), "float32", 1), "holds uint8"),
            (RecordSpec((7, 7), "uint8", 2), "is one image"),
            (RecordSpec((1, 1_000_001), "uint8", 1), "a side"),
        ],
    )
    def test_records_that_are_no_image(self, name: str, spec: RecordSpec, message: str) -> None:
        file_format = get_format(name)
        for ask in (
            file_format.file_size,
            file_format.sparse,
            lambda spec: list(file_format.encode(spec, lambda *_: None)),
        ):
            with pytest.raises(ConfigError) as caught:
                ask(spec)
            assert message in str(caught.value)

    def test_dlios_words(self) -> None:
        with pytest.raises(ConfigError) as caught:
            get_format("jpeg").file_size(RecordSpec((2, 3, 4), "uint8", 1))
        assert str(caught.value) == (
            "dataset.record_dims: jpeg format does not support more than 2 dimensions, but got 3 dimensions."
        )

    def test_several_samples_are_refused_before_anything_is_read(self) -> None:
        with pytest.raises(ConfigError, match="is one image"):
            get_format("jpeg").reading(3)

    @pytest.mark.parametrize("library", ["simplejpeg", "PIL", "pyspng"])
    def test_a_missing_library_is_one_clear_error(self, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
        import dl_driver.formats.image_decoders as decoders

        monkeypatch.setattr(decoders, "find_spec", lambda name: None if name == library else name)
        with pytest.raises(ConfigError) as caught:
            get_format("png").reading(1)
        assert f"needs {library}, not installed here: pip install 'dl-driver[images]'" in str(caught.value)
        assert get_format("png", PASSED_ON).reading(1) is Reading.WHOLE

    def test_too_little_room(self) -> None:
        with pytest.raises(DataError, match="a sample takes 1200 bytes, 1199 are left"):
            decoded(encoded("jpeg", (40, 30)), room=1199)

    def test_an_enormous_image_costs_nothing(self) -> None:
        enormous = png_by_hand(np.zeros((1, 1), np.uint8), 0, 8)
        enormous = (
            enormous[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 1 << 30, 1 << 30, 8, 0, 0, 0, 0)) + enormous[33:]
        )
        with pytest.raises(DataError, match="a sample takes 1152921504606846976 bytes"):
            decoded(enormous, "png")

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "the file is empty"),
            (b"GIF89a...", "is neither a JPEG file nor a PNG file"),
            (b"\xff\xd8\xff", "before the JPEG's first scan; it was cut"),
            (b"\xff\xd8\xff\xc3", "a lossless or hierarchical JPEG"),
            (b"\xff\xd8\xff\xd9", "before any scan"),
            (b"\xff\xd8\xff\xe0\0\x01", "has the length 1"),
            (b"\xff\xd8\xff\xe0\0\x02ab", "expected a JPEG marker at byte 6, got 61 62"),
            (b"\xff\xd8\xff\xda\0\x02", "without a frame header"),
            (b"\xff\xd8\xff\xc0\0\x0b\x0c\0\1\0\1\1\1\x11\0", "a JPEG of 12 bits a sample"),
            (b"\xff\xd8\xff\xc0\0\x0b\x08\0\0\0\1\1\1\x11\0", "a JPEG of 0 x 1 pixels"),
            (b"\xff\xd8\xff\xc0\0\x0e\x08\0\1\0\1\2\1\x11\0\2\x11\0", "a JPEG of 2 components"),
            (b"\xff\xd8\xff\xc0\0\x0b\x08\0\1\0\1\3\1\x11\0", "9 bytes for 3 components"),
            (b"\x89PNG\r\n\x1a\n", "within the PNG header; it was cut"),
            (b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", b"0123456789abc"), "its first PNG chunk is not IHDR"),
            (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 4, 2, 0, 0, 0)), "type 2 with 4 bits"),
            (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 1, 8, 2, 0, 0, 0)), "of 1 x 0 pixels"),
            (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 2)), "interlace 2"),
        ],
    )
    def test_what_is_wrong_is_said(self, data: bytes, message: str) -> None:
        with pytest.raises(FormatError) as caught:
            decoded(data)
        assert message in str(caught.value)

    @pytest.mark.parametrize(
        ("chunks", "message"),
        [
            ([], "without the PNG's last chunk"),
            ([chunk(b"IEND", b"")], "without pixels"),
            ([chunk(b"IDAT", b"x"), chunk(b"tEXt", b"y"), chunk(b"IDAT", b"x")], "IDAT chunk of the PNG comes again"),
            ([chunk(b"IDAT", b"x"), chunk(b"IHDR", b"")], "IHDR chunk of the PNG comes again"),
            ([b"\0\0\0\x09IDATabcdef"], "within the IDAT chunk that begins at 33"),
            ([chunk(b"IDAT", b"x")[:-1] + b"?"], "the IDAT chunk at byte 33 has the CRC"),
            ([chunk(b"IDAT", b"no deflate"), chunk(b"IEND", b"")], "pyspng cannot decode it"),
        ],
    )
    def test_chunks_out_of_order(self, chunks: list[bytes], message: str) -> None:
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
        with pytest.raises(FormatError) as caught:
            decoded(b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks), "png")
        assert message in str(caught.value)

    def test_a_palette_must_come_first(self) -> None:
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 3, 0, 0, 0))
        with pytest.raises(FormatError, match="palette that has none"):
            decoded(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"x") + chunk(b"IEND", b""), "png")

    @pytest.mark.parametrize("back", [1, 2, 3, 200])
    @pytest.mark.parametrize("options", [{}, {"progressive": True}])
    def test_every_cut_of_another_writers_jpeg(self, options: Mapping[str, object], back: int) -> None:
        noise = np.random.default_rng(6).integers(0, 256, (30, 30, 3), np.uint8)
        exif = Image.Exif()
        exif[0x010E] = "\u00ff\u00d9"
        data = saved(Image.fromarray(noise), "JPEG", exif=exif, **options)
        with pytest.raises(FormatError):
            decoded(data[:-back])


def test_suffixes() -> None:
    assert [detect_format(f"a/b.{suffix}").name for suffix in ("jpeg", "JPG", "jpg", "png")] == [*["jpeg"] * 3, "png"]
