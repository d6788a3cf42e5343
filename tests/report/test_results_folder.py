# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

from pathlib import Path

import pytest

from dl_driver.errors import RunError, StorageError
from dl_driver.report.folder import check_writable, results_folder, write_text


def test_a_failed_run_leaves_no_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(RunError), results_folder(tmp_path / "a" / "b"):
        raise RunError("failed")
    assert not list(tmp_path.iterdir())


def test_each_run_has_a_folder_of_its_own(tmp_path: Path) -> None:
    with (
        results_folder(tmp_path / "a" / "noon", alone=True) as first,
        results_folder(tmp_path / "a" / "noon", alone=True) as second,
        results_folder(tmp_path / "a" / "noon", alone=True) as third,
    ):
        write_text(first / "file", ["first"])
        write_text(third / "file", ["third"])
    assert [path.name for path in (first, second, third)] == ["noon", "noon_2", "noon_3"]
    assert (first / "file").read_text() == "first"


def test_a_failed_run_removes_no_folder_of_another(tmp_path: Path) -> None:
    with results_folder(tmp_path / "noon", alone=True) as first:
        with pytest.raises(RunError), results_folder(tmp_path / "noon", alone=True) as second:
            raise RunError("failed")
        assert first.is_dir()
        assert not second.exists()
    with pytest.raises(RunError), results_folder(tmp_path / "b" / "noon", alone=True):
        raise RunError("failed")
    assert [path.name for path in tmp_path.iterdir()] == ["noon"]


def test_two_runs_may_try_out_the_same_folder(tmp_path: Path) -> None:
    with results_folder(tmp_path / "a"), results_folder(tmp_path / "a"):
        pass
    assert (tmp_path / "a").is_dir()


def test_a_folder_that_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(RunError), results_folder(tmp_path / "a"):
        raise RunError("failed")
    assert (tmp_path / "a").is_dir()


def test_what_was_written_stays(tmp_path: Path) -> None:
    def write_and_fail():
        with results_folder(tmp_path / "a"):
            write_text(tmp_path / "a" / "file", ["text"])
            raise RunError("failed")

    with pytest.raises(RunError):
        write_and_fail()
    assert (tmp_path / "a" / "file").read_text() == "text"


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with (
        pytest.raises(StorageError, match="choose another folder with --results"),
        results_folder(tmp_path / "a" / "b"),
    ):
        pass
    with pytest.raises(StorageError, match="cannot write"):
        check_writable(tmp_path)


def test_a_text_is_whole_or_not_there(tmp_path: Path) -> None:
    def parts():
        yield "begun"
        raise OSError(28, "No space left on device")

    (tmp_path / "file").write_text("before")
    with pytest.raises(StorageError, match="No space left on device"):
        write_text(tmp_path / "file", parts())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "before"
