# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a verification finds: offsets and sizes of small NPZ files are worked out by hand.

``numpy.savez`` of a (8, 125, 2) array of bytes and two labels: a local header of 30 bytes, the name ``x.npy`` and an
extra field of 20 (wide sizes), so 55; an NPY header of 128, up to byte 183; 2000 bytes of samples, up to 2183. The
CRC of the first member is at bytes 14 to 17.
"""

import json
import os
import pickle
import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dl_driver.dataset import verify as verifying
from dl_driver.dataset.compare import Kind
from dl_driver.dataset.content import Shape
from dl_driver.dataset.extra import extra_keys
from dl_driver.dataset.files import ComputedFiles, Dimensions
from dl_driver.dataset.generate import Generation
from dl_driver.dataset.verify import FileResult, Mismatch, Verification, VerificationReport, verify
from dl_driver.errors import UnreachableError
from dl_driver.formats.base import FormatOptions
from dl_driver.formats.hdf5_write import skeleton
from dl_driver.formats.options import Hdf5Options, ParquetColumn, ParquetOptions
from dl_driver.storage import open_storage
from dl_driver.storage.base import StorageSettings
from dl_driver.storage.memory import MemoryStorage

SEED = 11
SAMPLES_AT, SAMPLES_END = 183, 2183
TRAIN, EVAL = 6, 2


def split(
    folder: str,
    count: int,
    first: int,
    form: str = "npz",
    dims: tuple[int, ...] = (8, 125),
    samples: int = 2,
    options: FormatOptions = FormatOptions(),  # noqa: B008 - frozen
    subfolders: int = 0,
) -> ComputedFiles:
    sides = Dimensions(1, 0, TRAIN + EVAL)
    return ComputedFiles(folder, "img", form, count, subfolders, first, sides, dims, "uint8", samples, options)


def both(**options: object) -> tuple[ComputedFiles, ComputedFiles]:
    return split("train", TRAIN, 0, **options), split("valid", EVAL, TRAIN, **options)  # type: ignore[arg-type]


def verification(
    place: "Path | str", splits: tuple[ComputedFiles, ...], seed: int = SEED, **other: object
) -> Verification:
    uri = place if isinstance(place, str) else f"file://{place}"
    return Verification(uri, StorageSettings(), splits, seed, **other)  # type: ignore[arg-type]


def write(place: "Path | str", splits: tuple[ComputedFiles, ...], **other: object) -> None:
    uri = place if isinstance(place, str) else f"file://{place}"
    generation = Generation(uri, StorageSettings(), splits, SEED, **other)  # type: ignore[arg-type]
    with generation.begin(open_storage(uri)) as do:
        list(do(range(generation.total)))


def found(task: Verification) -> VerificationReport:
    """By this process alone, which is quicker."""
    report = VerificationReport(task.total)
    with task.begin(open_storage(task.uri, task.settings)) as do:
        for result in do(range(task.total)):
            report.add(result)
    return report


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write(tmp_path / "data", both())
    return tmp_path / "data"


def flip(path: Path, offset: int) -> tuple[int, int]:
    """Expected and found byte."""
    content = bytearray(path.read_bytes())
    before = content[offset]
    content[offset] ^= 0x10
    path.write_bytes(content)
    return before, before ^ 0x10


def test_the_offsets_above_are_right(data: Path) -> None:
    path = data / "train/img_0_of_6.npz"
    with zipfile.ZipFile(path) as archive:
        crc = archive.getinfo("x.npy").CRC
    whole = path.read_bytes()
    assert whole[14:18] == crc.to_bytes(4, "little")
    samples = np.load(path)["x"]
    assert whole[SAMPLES_AT:SAMPLES_END] == samples.tobytes()


def test_a_generated_data_set_is_equal(data: Path) -> None:
    seen: list[tuple[int, int, int]] = []
    report = verify(verification(data, both()), 2, lambda *counts: seen.append(counts))
    sizes = [path.stat().st_size for path in data.rglob("*.npz")]
    assert (report.files, report.total, report.wrong, report.extra) == (8, 8, 0, 0)
    assert report.bytes == sum(sizes)
    assert [files for files, _, _ in seen] == list(range(1, 9))
    assert seen[-1] == (8, 8, sum(sizes))


@pytest.mark.parametrize("offset", [0, 1, 13, 14, 17, 182, SAMPLES_AT, 1000, SAMPLES_END - 1, SAMPLES_END, -1])
def test_one_flipped_bit(data: Path, offset: int) -> None:
    path = data / "train/img_3_of_6.npz"
    size = path.stat().st_size
    offset %= size
    expected, now = flip(path, offset)
    report = found(verification(data, both()))
    assert report.mismatches == [Mismatch(3, "train/img_3_of_6.npz", Kind.DIFFERENT, offset, expected, now, size, size)]
    assert (report.wrong, report.files) == (1, 8)


@pytest.mark.parametrize("length", [0, 1, 14, SAMPLES_AT, 1500])
def test_a_file_that_was_cut(data: Path, length: int) -> None:
    path = data / "valid/img_1_of_2.npz"
    size = path.stat().st_size
    os.truncate(path, length)
    (mismatch,) = found(verification(data, both())).mismatches
    assert mismatch == Mismatch(7, "valid/img_1_of_2.npz", Kind.SHORTER, length, None, None, size, length)


@pytest.mark.parametrize("more", [1, 5000])
def test_a_file_that_goes_on(data: Path, more: int) -> None:
    path = data / "train/img_0_of_6.npz"
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(bytes(more))
    (mismatch,) = found(verification(data, both())).mismatches
    assert mismatch == Mismatch(0, "train/img_0_of_6.npz", Kind.LONGER, size, None, None, size, size + more)


def test_a_different_file_of_another_size_says_both(data: Path) -> None:
    path = data / "train/img_0_of_6.npz"
    size = path.stat().st_size
    expected, now = flip(path, 700)
    os.truncate(path, 900)
    (mismatch,) = found(verification(data, both())).mismatches
    assert mismatch == Mismatch(0, "train/img_0_of_6.npz", Kind.DIFFERENT, 700, expected, now, size, 900)


def test_swapped_files_both_differ(data: Path) -> None:
    one, other = data / "train/img_1_of_6.npz", data / "train/img_4_of_6.npz"
    first = next(at for at, (a, b) in enumerate(zip(one.read_bytes(), other.read_bytes(), strict=True)) if a != b)
    assert 14 <= first <= 17, "their checksums are the first that differs"
    one.rename(data / "aside")
    other.rename(one)
    (data / "aside").rename(other)
    report = found(verification(data, both()))
    assert [(one.file, one.kind, one.offset) for one in report.mismatches] == [
        (1, Kind.DIFFERENT, first),
        (4, Kind.DIFFERENT, first),
    ]


def test_a_missing_file_and_a_missing_folder(data: Path) -> None:
    size = (data / "train/img_5_of_6.npz").stat().st_size
    (data / "train/img_5_of_6.npz").unlink()
    shutil.rmtree(data / "valid")
    report = found(verification(data, both()))
    assert report.mismatches == [
        Mismatch(number, key, Kind.MISSING, expected_size=size)
        for number, key in ((5, "train/img_5_of_6.npz"), (6, "valid/img_0_of_2.npz"), (7, "valid/img_1_of_2.npz"))
    ]


def test_nothing_there_at_all(tmp_path: Path) -> None:
    report = verify(verification(tmp_path / "none", both()), 1, lambda *_: None)
    assert (report.wrong, report.kinds) == (8, {Kind.MISSING: 8})


def test_a_folder_in_the_place_of_a_file_cannot_be_read(data: Path) -> None:
    path = data / "train/img_2_of_6.npz"
    path.unlink()
    path.mkdir()
    (mismatch,) = found(verification(data, both())).mismatches
    assert (mismatch.file, mismatch.kind) == (2, Kind.UNREADABLE)
    assert mismatch.reason == f"cannot read {path}: it is a folder, expected a file"


def test_another_seed_differs_in_every_file(data: Path) -> None:
    report = found(verification(data, both(), SEED + 1))
    assert (report.wrong, report.kinds) == (8, {Kind.DIFFERENT: 8})
    assert {mismatch.offset for mismatch in report.mismatches} <= {14, 15, 16, 17}


def test_it_ends_where_enough_are_wrong(data: Path) -> None:
    report = verify(verification(data, both(), SEED + 1), 1, lambda *_: None, 3)
    assert (report.files, report.wrong, report.total) == (3, 3, 8)


def test_a_report_names_only_so_many(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "MOST_KEPT", 3)
    report = found(verification(data, both(), SEED + 1))
    assert (len(report.mismatches), report.wrong) == (3, 8)


def test_extra_objects_are_named_and_no_difference(data: Path) -> None:
    strangers = ("train/img_6_of_6.npz", "train/img_0_of_7.npz", "train/sub/img_0_of_6.npz", "valid/img_+1_of_2.npz")
    for name in strangers:
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).write_bytes(b"")
    (data / "elsewhere").mkdir()
    (data / "elsewhere/x").write_bytes(b"")
    report = verify(verification(data, both()), 1, lambda *_: None)
    assert (report.wrong, report.extra, report.extra_examples) == (0, 4, sorted(strangers))


def test_companions_and_subfolders_are_no_strangers(tmp_path: Path) -> None:
    for form in ("tfrecord", "indexed_binary"):
        splits = both(form=form, subfolders=3)
        folder = tmp_path / form
        write(folder, splits)
        storage = open_storage(f"file://{folder}")
        assert list(extra_keys(storage, splits)) == []
        name = (
            "index/train/img_9_of_6.tfrecord.idx" if form == "tfrecord" else "train/0/img_1_of_6.indexed_binary.sz.idx"
        )
        (folder / name).write_bytes(b"")
        assert list(extra_keys(storage, splits)) == [name]


def test_a_wrong_companion_is_its_files_fault(tmp_path: Path) -> None:
    splits = both(form="indexed_binary", samples=3)
    write(tmp_path, splits)
    # Three samples of 1000 bytes: offsets 0, 1000, 2000 as little-endian uint64, so 2000 = 0x07d0 at byte 16.
    expected, now = flip(tmp_path / "train/img_2_of_6.indexed_binary.off.idx", 16)
    assert (expected, now) == (0xD0, 0xC0)
    (tmp_path / "train/img_2_of_6.indexed_binary.sz.idx").unlink()
    report = found(verification(tmp_path, splits))
    assert report.wrong == 1
    assert [(m.key.partition(".")[2], m.kind, m.offset) for m in report.mismatches] == [
        ("indexed_binary.off.idx", Kind.DIFFERENT, 16),
        ("indexed_binary.sz.idx", Kind.MISSING, None),
    ]


_LONG = (200, 1000)
_WIDE = ParquetOptions(
    columns=(ParquetColumn(name="a", dtype="float32", size=7), ParquetColumn(name="b", dtype="int64"))
)
FORMATS = [
    ("npz", FormatOptions(), _LONG, 5),
    ("npz", FormatOptions("zip"), (50, 40), 5),
    ("npy", FormatOptions(), _LONG, 5),
    ("tfrecord", FormatOptions(), (64, 50), 200),
    ("tfrecord", FormatOptions("gzip"), (64, 50), 200),
    ("tfrecord", FormatOptions("zlib"), (64, 50), 3),
    ("hdf5", FormatOptions(), _LONG, 5),
    ("hdf5", FormatOptions(hdf5=Hdf5Options(chunk_dims=(1, 20, 100))), _LONG, 20),
    ("hdf5", FormatOptions("gzip", hdf5=Hdf5Options(chunk_dims=(2, 100, 100))), _LONG, 7),
    ("hdf5", FormatOptions("lzf", hdf5=Hdf5Options(num_dset_per_record=2, max_shape=(200, 2000))), _LONG, 3),
    ("parquet", FormatOptions(parquet=_WIDE), (36,), 3000),
    ("parquet", FormatOptions("zstd", parquet=_WIDE), (36,), 3000),
    ("jpeg", FormatOptions(), (900, 1000), 1),
    ("png", FormatOptions(), (900, 1000), 1),
    ("csv", FormatOptions(), (30, 40), 20),
    ("jsonl", FormatOptions(), (30, 40), 20),
    ("raw", FormatOptions(), _LONG, 7),
    ("indexed_binary", FormatOptions(), (64, 50), 200),
    ("mmap_indexed_binary", FormatOptions(), (64, 50), 200),
]
"""Long enough for several pieces and patches, where a format makes them."""


@pytest.mark.parametrize("shape", [Shape(), Shape(2.5, 3), Shape(2, 1.5, False)], ids=["plain", "across", "within"])
@pytest.mark.parametrize(("form", "options", "dims", "samples"), FORMATS, ids=lambda value: str(value)[:40])
def test_every_format_and_its_last_byte(
    tmp_path: Path, form: str, options: FormatOptions, dims: tuple[int, ...], samples: int, shape: Shape
) -> None:
    splits = (split("train", 2, 0, form, dims, samples, options), split("valid", 1, 2, form, dims, samples, options))
    write(tmp_path, splits, shape=shape)
    task = verification(tmp_path, splits, shape=shape)
    assert found(task).mismatches == []
    key = splits[1].key(0)
    last = (tmp_path / key).stat().st_size - 1
    expected, now = flip(tmp_path / key, last)
    assert found(task).mismatches == [Mismatch(2, key, Kind.DIFFERENT, last, expected, now, last + 1, last + 1)]


def test_no_format_writes_the_time_of_day() -> None:
    def contents() -> list[dict[str, bytes]]:
        found = []
        for number, (form, options, dims, samples) in enumerate(FORMATS):
            uri = f"memory://times-{number}"
            write(uri, (split("train", 1, 0, form, dims, samples, options),))
            storage = MemoryStorage(uri, StorageSettings())
            found.append({info.key: storage.get(info.key) for info in storage.list()})
        return found

    before = contents()
    skeleton.cache_clear()
    time.sleep(1.01)
    assert contents() == before


def test_patches_far_into_a_file(tmp_path: Path) -> None:
    """A chunked HDF5 file's indexes are written when its chunks are: thousands of bytes that are patched."""
    options = FormatOptions(hdf5=Hdf5Options(chunk_dims=(1, 10, 10)))
    (files,) = splits = (split("train", 1, 0, "hdf5", (100, 100), 40, options),)
    pieces = list(files.file_format.encode(files.record(0), verification("", splits).content(files, 0).fill))
    ends = np.maximum.accumulate([piece.offset + len(piece.data) for piece in pieces])
    patches = [piece for piece, end in zip(pieces[1:], ends, strict=False) if piece.offset < end]
    assert sum(len(patch.data) for patch in patches) > 1000
    write(tmp_path, splits)
    assert found(verification(tmp_path, splits)).mismatches == []
    path = tmp_path / files.key(0)
    for patch in (patches[0], patches[len(patches) // 2], patches[-1]):
        whole = path.read_bytes()
        at = patch.offset + len(patch.data) - 1
        flip(path, at)
        (mismatch,) = found(verification(tmp_path, splits)).mismatches
        assert (mismatch.kind, mismatch.offset) == (Kind.DIFFERENT, at)
        path.write_bytes(whole)


@pytest.mark.parametrize("scheme", ["file", "direct"])
@pytest.mark.parametrize("engine", ["ring", "threads"])
def test_every_engine(tmp_path: Path, scheme: str, engine: str) -> None:
    uri, settings = f"{scheme}://{tmp_path}", StorageSettings(engine=engine)  # type: ignore[arg-type]
    splits = (split("train", 3, 0, dims=(1500, 1000)), split("valid", 1, 3, dims=(1500, 1000)))
    write(tmp_path, splits)
    task = Verification(uri, settings, splits, SEED)
    assert found(task).mismatches == []
    expected, now = flip(tmp_path / splits[0].key(1), 2_000_000)
    (mismatch,) = found(task).mismatches
    assert (mismatch.offset, mismatch.expected, mismatch.found) == (2_000_000, expected, now)


class Unreachable(MemoryStorage):
    """A server that is gone after some reads."""

    def get(self, key: str) -> bytes:
        if key.startswith("valid"):
            raise UnreachableError("the server does not answer")
        return super().get(key)


def test_a_server_that_does_not_answer_ends_it() -> None:
    uri = "memory://verify-unreachable"
    write(uri, both())
    task = verification(uri, both())
    with task.begin(Unreachable(uri, StorageSettings())) as do:
        results = do(range(8))
        with pytest.raises(UnreachableError):
            list(results)


def test_results_are_plain_values() -> None:
    result = FileResult((Mismatch(1, "a", Kind.MISSING),), 5, 0)
    assert pickle.loads(pickle.dumps(result)) == result
    assert json.dumps(Kind.LONGER) == '"longer"'
