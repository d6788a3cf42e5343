# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding a workload's files without listing them: their names are known, so a sample of them is looked up.

Only where a name is missing is the folder listed, since a data set may have been generated with another count.
"""

from collections.abc import Sequence

from dl_driver.dataset.files import ComputedFiles, FileSet, ListedFiles
from dl_driver.errors import DataError, NotFoundError
from dl_driver.formats import get_format
from dl_driver.storage.base import ObjectInfo, Storage

_PROBES, _PROBES_REMOTE = 1024, 32


def locate_files(storage: Storage, files: ComputedFiles) -> tuple[FileSet, Sequence[str]]:
    """The files to read, and warnings. Raises DataError where there are fewer than the workload asks for, StorageError
    where they cannot be looked up. Of a format without files all are as computed."""
    if not get_format(files.format, files.options).stored:
        return files, ()
    for number in _probes(len(files), _PROBES_REMOTE if storage.remote else _PROBES):
        found = _look_up(storage, files.key(number))
        if found is None:
            return _listed(storage, files, files.key(number))
        _check_size(storage, files, number, found)
    return files, ()


def _probes(count: int, limit: int) -> Sequence[int]:
    """Evenly spread, the first and the last among them."""
    number = min(count, limit)
    return [index * (count - 1) // max(1, number - 1) for index in range(number)]


def _look_up(storage: Storage, key: str) -> ObjectInfo | None:
    try:
        return storage.stat(key)
    except NotFoundError:
        return None


def _check_size(storage: Storage, files: ComputedFiles, number: int, found: ObjectInfo) -> None:
    """Of a format whose files tell nothing but by their size. A data set of drawn sizes may come from another draw."""
    expected = files.size(number) if files.file_format.indexed_by_size and files.uniform else None
    if expected is not None and found.size != expected:
        raise DataError(
            f"{storage.uri.rstrip('/')}/{found.key}: holds {found.size} bytes, the workload says {expected}; check"
            " dataset.record_length_bytes, record_dims, record_element_type and num_samples_per_file against the data"
            " set"
        )


def _listed(storage: Storage, files: ComputedFiles, missing: str) -> tuple[FileSet, Sequence[str]]:
    suffix = f".{files.suffix}"
    # dlio_benchmark packs CSV files without a word of it in their names.
    suffixes = (suffix, f".{files.format}")
    try:
        found = [info for info in storage.list(files.folder) if info.key.endswith(suffixes)]
    except NotFoundError:
        found = []
    where = f"{storage.uri.rstrip('/')}/{files.folder}"
    if len(found) < len(files):
        fewer = f", or set dataset.{_count_key(files)}={len(found)}" if found else ", or check dataset.data_folder"
        raise DataError(
            f"{where} holds {len(found)} {suffix} files, {len(files)} are needed ({missing} is missing): generate the"
            f" data set (workflow.generate_data=true, or `dl-driver generate --skip-existing`){fewer}"
        )
    # As DLIO: by base name, so that subfolders take turns; the first ones are used.
    found.sort(key=lambda info: info.key.rpartition("/")[2])
    chosen = found[: len(files)]
    warnings = []
    if len(found) > len(files):
        warnings.append(f"{where} holds {len(found)} {suffix} files; the first {len(files)} by name are used")
    elif _stem(chosen[0].key, suffixes) != _stem(files.key(0), suffixes):
        warnings.append(f"{where} holds no {files.key(0)}; files of other names are read, from {chosen[0].key} on")
    return ListedFiles([info.key for info in chosen], [info.size for info in chosen]), warnings


def _stem(key: str, suffixes: Sequence[str]) -> str:
    return next((key.removesuffix(suffix) for suffix in suffixes if key.endswith(suffix)), key)


def _count_key(files: ComputedFiles) -> str:
    return "num_files_train" if files.folder == "train" else "num_files_eval"
