# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""CSV and JSON Lines that others wrote, and what is wrong with them; raw files of users."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dl_driver import open_loader
from dl_driver.errors import ConfigError, DlDriverError, FormatError
from dl_driver.formats import get_format
from dl_driver.formats.base import FormatOptions, RecordSpec
from dl_driver.formats.csv import Csv
from dl_driver.formats.jsonl import JsonLines


def decoded(file_format: Csv | JsonLines, line: bytes, room: int = 4096) -> dict[str, np.ndarray]:
    into = memoryview(bytearray(room))
    placed = file_format.decode_line(memoryview(line), into)
    return {
        array.name: np.ndarray(array.shape, array.dtype, into, placed.start + array.offset).copy()
        for array in placed.layout
    }


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40))
def test_whole_numbers_of_any_size(numbers: list[int]) -> None:
    found = decoded(Csv(), ",".join(map(str, numbers)).encode())["x"]
    assert found.dtype == np.int64
    assert found.tolist() == numbers


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=40))
def test_numbers_that_only_uint64_holds(numbers: list[int]) -> None:
    line = ",".join(map(str, numbers)).encode()
    assert decoded(Csv(FormatOptions(element_type="uint64")), line)["x"].tolist() == numbers
    assert decoded(Csv(), line)["x"].tolist() == numbers


@pytest.mark.parametrize("value", ["1_0", "0x10", "1e", "--1", "1 2", "true", "\u0663"])
def test_what_pandas_takes_for_no_number_is_an_error(value: str) -> None:
    with pytest.raises(FormatError, match=r"value 2 of the row is .*, expected a number"):
        decoded(Csv(), f"5,{value}".encode())


def test_what_is_no_bool() -> None:
    assert decoded(Csv(FormatOptions(element_type="bool")), b"0,1")["x"].tolist() == [False, True]
    with pytest.raises(FormatError, match="from 0 to 2 are not all bool"):
        decoded(Csv(FormatOptions(element_type="bool")), b"0,2")


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=40))
def test_fractions(numbers: list[float]) -> None:
    found = decoded(Csv(), ",".join(map(repr, numbers)).encode())["x"]
    assert found.tolist() == numbers


@given(st.binary(max_size=60))
def test_any_bytes_are_numbers_or_an_error(line: bytes) -> None:
    try:
        # Python's way to group digits, and some of its white space, are nobody else's.
        if set(line.removesuffix(b"\r")) & set(b"_\n\r\v\f"):
            raise ValueError
        expected = [float(part) for part in line.removesuffix(b"\r").split(b",")]
    except ValueError:
        with pytest.raises(FormatError):
            decoded(Csv(), line)
    else:
        np.testing.assert_array_equal(decoded(Csv(), line)["x"].astype(float), expected)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), _JSON, min_size=1, max_size=5))
def test_members_become_arrays(value: dict[str, object]) -> None:
    found = decoded(JsonLines(), json.dumps(value).encode(), 1 << 16)
    assert list(found) == list(value)
    for name, member in value.items():
        if isinstance(member, str):
            assert found[name].tobytes() == member.encode("utf-8", "surrogatepass")
        elif type(member) in (int, float):
            assert found[name] == member
        elif not isinstance(member, list):
            assert json.loads(found[name].tobytes()) == member


@given(st.binary(max_size=60))
def test_any_line_is_an_object_or_an_error(line: bytes) -> None:
    try:
        value = json.loads(line)
        is_object = isinstance(value, dict) and bool(value)
    except (ValueError, RecursionError):
        is_object = False
    if is_object:
        assert list(decoded(JsonLines(), line)) == list(value)
    else:
        with pytest.raises(FormatError):
            decoded(JsonLines(), line)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,2\n3,x4\n5,6\n", "line 2: value 2 of the row is 'x4', expected a number"),
        ("1,2\n3,\n5,6\n", "line 2: value 2 of the row is empty"),
        ("1,2\n3,4\n5,6", "line 3 does not end with a newline; the file was cut"),
        ("1,2\n3,4\n", "holds 2 samples, number 2 was asked for; check dataset.num_samples_per_file"),
        ("", "the file is empty; expected a line a sample"),
    ],
)
def test_what_is_wrong_with_a_csv_file_is_said_with_its_line(tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(rows)
    if not rows:
        (tmp_path / "b.csv").write_text("1,2\n3,4\n5,6\n")
    with (
        pytest.raises(DlDriverError) as caught,
        open_loader(str(tmp_path), format="csv", samples_per_file=3, batch_size=1) as loader,
    ):
        list(loader)
    assert str(caught.value).endswith(f"a.csv: {message}")


def test_values_that_the_element_type_does_not_hold() -> None:
    with pytest.raises(FormatError, match=r"from 7 to 256 are not all uint8; check dataset.record_element_type"):
        decoded(Csv(FormatOptions(element_type="uint8")), b"7,256")
    assert decoded(Csv(FormatOptions(element_type="float32")), b"7,2.5")["x"].dtype == np.float32


def test_a_csv_file_of_several_rows_taken_for_one_sample(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2\n3,4\n")
    with (
        pytest.raises(FormatError, match=r"several lines, one was expected; check dataset.num_samples_per_file"),
        open_loader(str(tmp_path), format="csv", batch_size=1) as loader,
    ):
        list(loader)


def test_windows_line_ends(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"1,2\r\n30,4\r\n")
    with open_loader(str(tmp_path), format="csv", samples_per_file=2, batch_size=2) as loader:
        assert [sample["x"].tolist() for batch in loader for sample in batch] == [[1, 2], [30, 4]]


def test_complex_numbers_are_no_csv() -> None:
    spec, csv = RecordSpec((2, 2), "complex64", 1), get_format("csv")
    with pytest.raises(ConfigError, match="the csv format holds numbers, but got complex64"):
        csv.max_file_size(spec)
    with pytest.raises(ConfigError, match="the csv format holds numbers, but got complex64"):
        csv.encode(spec, lambda offset, into: None)


def test_files_of_any_size_are_raw(tmp_path: Path) -> None:
    for size in (1, 7, 5000):
        (tmp_path / f"{size}.bin").write_bytes(bytes([size % 256]) * size)
    with open_loader(str(tmp_path), format="raw", batch_size=3) as loader:
        found = {key: sample["x"].tobytes() for batch in loader for key, sample in zip(batch.keys, batch, strict=True)}
    assert found == {f"{size}.bin": bytes([size % 256]) * size for size in (1, 7, 5000)}


def test_raw_samples_must_have_one_length(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(10))
    with (
        pytest.raises(FormatError, match=r"a.raw: 10 bytes are not 3 samples of one length"),
        open_loader(str(tmp_path), format="raw", samples_per_file=3, batch_size=3) as loader,
    ):
        list(loader)


def test_lines_of_different_lengths_found_across_blocks(tmp_path: Path) -> None:
    """Twelve million bytes: more than one round of the blocks in which lines are looked for."""
    lines = [json.dumps({"text": "a" * (number * 997 % 60_000), "n": number}) for number in range(400)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n")
    with open_loader(str(tmp_path), format="jsonl", samples_per_file=400, batch_size=16, shuffle=True) as loader:
        found = {int(sample["n"]): sample["text"].size for batch in loader for sample in batch}
    assert found == {number: number * 997 % 60_000 for number in range(400)}


def test_lines_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}\nno JSON\n')
    with open_loader(str(tmp_path), format="jsonl", samples_per_file=2, batch_size=2, decode=False) as loader:
        assert [sample["line"].tobytes() for batch in loader for sample in batch] == [b'{"a": 1}', b"no JSON"]
