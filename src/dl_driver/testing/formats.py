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
from dl_driver.formats.expectation import Expectation
from dl_driver.loader.loader import Loader
from dl_driver.loader.sizing import Depth, make_plan
from dl_driver.storage.base import Piece, StorageSettings
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

    def loader(
        self,
        *,
        shuffle: bool = False,
        batch_size: int = 3,
        crop_bytes: int = 0,
        window: int = 4096,
        strict: bool = True,
    ) -> Loader:
        """Over all samples; ``strict``: files are held against the spec, as those of a run are against its workload."""
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
            expected=Expectation(self.spec.dtype, self.spec.num_samples, self.spec.dims) if strict else None,
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
    finds_damage_around: ClassVar[bool] = True
    """The same of the bytes around the samples, and of companions: what a format without checksums still finds."""
    max_cuts: ClassVar[int] = 60
    """Lengths to which files are cut; all up to so many bytes."""

    def expected(self, written: Written, file: int, sample: int) -> bytes:
        """The bytes of the first array of a sample; overridden where samples do not lie one after another."""
        return written.content(file, sample)

    def check_arrays(self, written: Written, file: int, sample: int, arrays: Mapping[str, Array]) -> None:
        """Compare a sample with what was written."""
        first = next(iter(arrays.values()))
        assert first.tobytes() == self.expected(written, file, sample)

    def payload(self, written: Written, whole: bytes) -> Sequence[range]:
        """Where a file's samples lie as they are, ascending; empty where they do not. Overridden where they lie
        otherwise than one after another, or in other bytes."""
        content, size = written.file_content(0), written.spec.sample_bytes
        at = whole.find(content)
        if at >= 0:
            return (range(at, at + len(content)),)
        starts = [whole.find(content[start : start + size]) for start in range(0, len(content), size)]
        return [range(start, start + size) for start in sorted(starts)] if min(starts) >= 0 else ()

    def regions(self, written: Written, whole: bytes) -> Sequence[tuple[range, bool]]:
        """What a file consists of: stretches, and of each whether it is samples'."""
        found, at = [], 0
        for part in self.payload(written, whole):
            found += [(range(at, part.start), False)] if part.start > at else []
            found.append((part, True))
            at = part.stop
        return found + ([(range(at, len(whole)), not found)] if at < len(whole) else [])

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
        edges = [part.start + step for part, _ in self.regions(written, whole)[:8] for step in (-1, 0, 1)]
        lengths = {0, *np.linspace(0, len(whole) - 1, self.max_cuts, dtype=int).tolist(), *edges}
        for length in sorted(length for length in lengths if 0 <= length < len(whole)):
            written.replace(whole[:length])
            self._must_fail(written)

    def test_a_longer_file_is_an_error_or_changes_nothing(self, written: Written) -> None:
        written.replace(written.storage.get(written.files.key(0)) + b"more")
        self._fails_or_is_right(written)

    def test_a_flipped_bit_is_found_or_changes_nothing(self, written: Written) -> None:
        whole = written.storage.get(written.files.key(0))
        generator = np.random.default_rng(1)
        regions = self.regions(written, whole)
        around = [at for part, is_payload in regions if not is_payload for at in part]
        chosen = {*range(min(32, len(whole))), *generator.integers(0, len(whole), 30).tolist(), len(whole) - 1}
        chosen.update(around[at] for at in np.linspace(0, len(around) - 1, 64 if around else 0, dtype=int))
        payload = {at for part, is_payload in regions if is_payload for at in part}
        for position in sorted(chosen):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << int(generator.integers(8))
            written.replace(bytes(flipped))
            finds = self.finds_flips if position in payload else self.finds_damage_around
            self._fails_or_is_right(written, compare=finds)

    @pytest.mark.parametrize("fill", [0x00, 0xFF])
    def test_a_region_that_was_lost_is_found_or_changes_nothing(self, written: Written, fill: int) -> None:
        """As a block of a disk that was never written; the first and the last half of each region, too."""
        whole = written.storage.get(written.files.key(0))
        regions = self.regions(written, whole)
        for part, is_payload in [*regions[:6], regions[-1]]:
            middle = (part.start + part.stop) // 2
            finds = self.finds_flips if is_payload else self.finds_damage_around
            for start, stop in ((part.start, part.stop), (part.start, middle), (middle, part.stop)):
                written.replace(whole[:start] + bytes([fill]) * (stop - start) + whole[stop:])
                self._fails_or_is_right(written, compare=finds)

    def test_a_damaged_companion_is_found_or_changes_nothing(self, written: Written) -> None:
        """Missing, cut, longer, flipped, overwritten: the file beside it is whole."""
        generator = np.random.default_rng(4)
        for companion in written.format.companions:
            key = companion.key(written.files.key(0))
            assert key is not None
            whole = written.storage.get(key)
            damaged = [None, whole + b"more", whole + whole, bytes(len(whole)), b"\xff" * len(whole)]
            damaged += [whole[:length] for length in np.linspace(0, len(whole) - 1, 12, dtype=int)]
            damaged.append(generator.bytes(len(whole)))
            for position in range(0, len(whole), max(1, len(whole) // 48)):
                flipped = bytearray(whole)
                flipped[position] ^= 1 << int(generator.integers(8))
                damaged.append(bytes(flipped))
            for data in damaged:
                self._put(written, key, data)
                self._fails_or_is_right(written, compare=self.finds_damage_around, names=(key,))
            self._put(written, key, whole)

    def test_random_bytes_are_an_error(self, written: Written) -> None:
        written.replace(np.random.default_rng(2).bytes(written.storage.stat(written.files.key(0)).size))
        self._fails_or_is_right(written, compare=self.finds_flips)

    def _must_fail(self, written: Written) -> None:
        with pytest.raises((FormatError, DataError)) as caught:
            list(written.samples())
        assert written.files.key(0) in str(caught.value)

    def _put(self, written: Written, key: str, data: bytes | None) -> None:
        """Other bytes in the place of an object, or none at all."""
        if data is None:
            written.storage.delete([key])
        else:
            written.storage.put(key, [Piece(0, data)])

    def _fails_or_is_right(self, written: Written, *, compare: bool = True, names: Sequence[str] = ()) -> None:
        message = ""
        try:
            for file, sample, arrays in written.samples():
                if compare:
                    self.check_arrays(written, file, sample, arrays)
        except DlDriverError as error:
            message = str(error)
        assert not message or any(key in message for key in (written.files.key(0), *names)), message
