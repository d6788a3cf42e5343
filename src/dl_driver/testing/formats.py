# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every format must do: bring back what was written, and say what is wrong with a file that is damaged.

Files are written to ``memory://`` and read back through a loader, as a run does it.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
import pytest

from dl_driver.dataset.content import FileContent
from dl_driver.dataset.files import ComputedFiles, Dimensions
from dl_driver.dataset.generate import Generation, generate
from dl_driver.dataset.order import EpochOrder
from dl_driver.dataset.verify import Mismatch, Verification, verify
from dl_driver.errors import DataError, DlDriverError, FormatError
from dl_driver.formats import get_format
from dl_driver.formats.base import DEFAULTS, Format, FormatOptions, RecordSpec
from dl_driver.loader.loader import Loader
from dl_driver.loader.sizing import Depth, make_plan
from dl_driver.storage.base import StorageSettings
from dl_driver.storage.memory import MemoryStorage

Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]

_SEED = 7
_numbers = itertools.count()


class Written:
    """A small data set in memory."""

    def __init__(self, name: str, options: FormatOptions, spec: RecordSpec, files: int = 2) -> None:
        self.spec = spec
        self.files = ComputedFiles(
            "train", "img", name, files, 0, 0, Dimensions(1, 0, files), spec.dims, spec.dtype, spec.num_samples, options
        )
        self.storage = MemoryStorage(f"memory://conformance-{next(_numbers)}", StorageSettings())
        generation = Generation(self.storage.uri, self.storage.settings, (self.files,), _SEED, skip_existing=False)
        generate(generation, None, lambda *_: None)

    def mismatches(self) -> Sequence[Mismatch]:
        """What a verification finds."""
        verification = Verification(self.storage.uri, self.storage.settings, (self.files,), _SEED)
        return verify(verification, None, lambda *_: None).mismatches

    @property
    def format(self) -> Format:
        """An instance of its own."""
        return get_format(self.files.format, self.files.options)

    def content(self, file: int, sample: int) -> bytes:
        """The bytes that generation put into a sample, where samples lie one after another."""
        size = self.spec.sample_bytes
        into = bytearray(size)
        FileContent(_SEED, file, self.spec.dtype).fill(sample * size, memoryview(into))
        return bytes(into)

    def file_content(self, file: int) -> bytes:
        """The bytes of all of a file's samples."""
        into = bytearray(self.spec.payload_bytes)
        FileContent(_SEED, file, self.spec.dtype).fill(0, memoryview(into))
        return bytes(into)

    def loader(self, *, shuffle: bool = False, batch_size: int = 3, crop_bytes: int = 0, window: int = 4096) -> Loader:
        """Over all samples."""
        plan = make_plan(
            self.storage,
            self.storage.settings,
            format_name=self.files.format,
            files=self.files,
            samples_per_file=self.spec.num_samples,
            batch_size=batch_size,
            depth=Depth(2, 4, 4),
            crop_bytes=crop_bytes,
            window_bytes=window,
            options=self.files.options,
            record=self.files.largest_record,
        )
        order = EpochOrder(
            len(self.files), self.spec.num_samples, 1, batch_size, sample_shuffle=shuffle, seed=3, drop_last=False
        )
        return Loader(plan, order, delivery_order="plan", reshuffle=False, timeout=None)

    def samples(self, **options: bool | int) -> Iterator[tuple[int, int, Mapping[str, Array]]]:
        """(file, sample, arrays) of an epoch; arrays are copies."""
        with self.loader(**options) as loader:  # type: ignore[arg-type]
            for batch in loader:
                for key, number, arrays in zip(batch.keys, batch.sample_numbers, batch, strict=True):
                    yield self.files.index_of(key), number, {name: array.copy() for name, array in arrays.items()}

    def replace(self, data: bytes, file: int = 0) -> None:
        """Put other bytes in the place of a file."""
        from dl_driver.storage.base import Piece

        self.storage.put(self.files.key(file), [Piece(0, data)])


class FormatConformance:
    """Subclass it with a name that pytest collects, and set ``format_name``."""

    format_name: ClassVar[str]
    options: ClassVar[FormatOptions] = DEFAULTS
    specs: ClassVar[Sequence[RecordSpec]] = (
        RecordSpec((13, 7), "uint8", 1),
        RecordSpec((40, 30), "uint8", 5),
        RecordSpec((3, 4, 5), "float32", 3),
    )
    """Kinds of files to try."""
    finds_flips: ClassVar[bool] = True
    """Whether checksums cover every byte that matters, so that a flipped bit never reaches a sample."""
    max_cuts: ClassVar[int] = 60
    """Lengths to which files are cut; all up to so many bytes."""

    def expected(self, written: Written, file: int, sample: int) -> bytes:
        """The bytes of the first array of a sample; overridden where samples do not lie one after another."""
        return written.content(file, sample)

    def check_arrays(self, written: Written, file: int, sample: int, arrays: Mapping[str, Array]) -> None:
        """Compare a sample with what was written."""
        first = next(iter(arrays.values()))
        assert first.tobytes() == self.expected(written, file, sample)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test for each kind of files."""
        if "spec" in metafunc.fixturenames:
            metafunc.parametrize("spec", self.specs, ids=str)

    @pytest.fixture
    def written(self, spec: RecordSpec) -> Written:
        """A data set."""
        return Written(self.format_name, self.options, spec)

    def test_names(self) -> None:
        file_format = get_format(self.format_name, self.options)
        assert file_format.name == self.format_name
        assert file_format.suffix
        for companion in file_format.companions:
            key = companion.key(f"train/img_0_of_1.{file_format.suffix}")
            assert key is not None
            assert companion.main(key) == f"train/img_0_of_1.{file_format.suffix}"
            assert companion.main(f"train/img_0_of_1.{file_format.suffix}") is None

    @pytest.mark.parametrize("shuffle", [False, True])
    def test_every_sample_comes_back(self, written: Written, shuffle: bool) -> None:
        seen = []
        for file, sample, arrays in written.samples(shuffle=shuffle):
            self.check_arrays(written, file, sample, arrays)
            seen.append((file, sample))
        assert sorted(seen) == [(file, n) for file in range(2) for n in range(written.spec.num_samples)]

    def test_a_crop_is_the_beginning(self, written: Written) -> None:
        count = max(1, written.spec.sample_bytes // 3)
        for _, _, arrays in written.samples(crop_bytes=count):
            (array,) = arrays.values()
            assert array.nbytes == count

    def test_size_is_what_was_computed(self, written: Written) -> None:
        size = written.storage.stat(written.files.key(0)).size
        computed = written.format.file_size(written.spec)
        assert computed in (size, None)
        assert size <= written.format.max_file_size(written.spec)

    def test_pieces_follow_one_another(self, spec: RecordSpec) -> None:
        file_format = get_format(self.format_name, self.options)
        end = 0
        for offset, data in file_format.encode(spec, FileContent(1, 0, spec.dtype).fill):
            assert offset <= end
            assert offset == end or offset + len(data) <= end, "a patch lies within what was written"
            end = max(end, offset + len(data))

    def test_encoding_is_repeatable(self, written: Written) -> None:
        again = Written(self.format_name, self.options, written.spec)
        key = written.files.key(1)
        assert written.storage.get(key) == again.storage.get(key)

    def test_verification_names_the_one_byte_that_was_changed(self, written: Written) -> None:
        assert not written.mismatches()
        key = written.files.key(1)
        whole = written.storage.get(key)
        for position in (0, len(whole) // 2, len(whole) - 1):
            changed = bytearray(whole)
            changed[position] ^= 1
            written.replace(bytes(changed), 1)
            (found,) = written.mismatches()
            assert (found.key, found.offset, found.expected, found.found) == (
                key, position, whole[position], whole[position] ^ 1,
            )  # fmt: skip

    def test_a_sparse_file_is_a_file_of_zeros(self, written: Written) -> None:
        sparse = written.format.sparse(written.spec)
        if sparse is None:
            pytest.skip("the format has no sparse files")
        data = bytearray(sparse.size)
        for offset, piece in sparse.pieces:
            data[offset : offset + len(piece)] = piece
        for number in range(2):
            written.replace(bytes(data), number)
        for _, _, arrays in written.samples():
            assert not next(iter(arrays.values())).any()

    def test_a_cut_file_is_an_error(self, written: Written) -> None:
        whole = written.storage.get(written.files.key(0))
        for length in sorted({0, *np.linspace(0, len(whole) - 1, self.max_cuts, dtype=int).tolist()}):
            written.replace(whole[:length])
            self._must_fail(written)

    def test_a_longer_file_is_an_error_or_changes_nothing(self, written: Written) -> None:
        written.replace(written.storage.get(written.files.key(0)) + b"more")
        self._fails_or_is_right(written)

    def test_a_flipped_bit_is_found_or_changes_nothing(self, written: Written) -> None:
        whole = written.storage.get(written.files.key(0))
        generator = np.random.default_rng(1)
        positions = {*range(min(64, len(whole))), *generator.integers(0, len(whole), 60).tolist(), len(whole) - 1}
        for position in sorted(positions):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << int(generator.integers(8))
            written.replace(bytes(flipped))
            self._fails_or_is_right(written, compare=self.finds_flips)

    def test_random_bytes_are_an_error(self, written: Written) -> None:
        written.replace(np.random.default_rng(2).bytes(written.storage.stat(written.files.key(0)).size))
        self._fails_or_is_right(written, compare=self.finds_flips)

    def _must_fail(self, written: Written) -> None:
        with pytest.raises((FormatError, DataError)) as caught:
            list(written.samples())
        assert written.files.key(0) in str(caught.value)

    def _fails_or_is_right(self, written: Written, *, compare: bool = True) -> None:
        message = ""
        try:
            for file, sample, arrays in written.samples():
                if compare:
                    self.check_arrays(written, file, sample, arrays)
        except DlDriverError as error:
            message = str(error)
        assert not message or written.files.key(0) in message
