# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where results go: a folder, or an object store.

For an object store they are written to a temporary folder first, as for any other place, and sent when the run is over:
the summary last, so that whoever finds it finds the rest. What cannot be sent stays in that folder, and the error names
it.
"""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dl_driver.config.locations import has_scheme
from dl_driver.errors import StorageError
from dl_driver.report.folder import results_folder
from dl_driver.storage import open_storage
from dl_driver.storage.base import Piece, Storage, StorageSettings
from dl_driver.storage.local import path_of

_LAST = "summary.json"
_OF_A_RANK = re.compile(r"\d+_(output|per_epoch_stats)\.json")
_WINDOW_BYTES = 1 << 20


@contextmanager
def results_at(place: str, settings: StorageSettings, *, alone: bool = False) -> Iterator[Path]:
    """The folder to write results to; what it holds at the end is sent to ``place`` where that is an object store.
    That one is written to beforehand, so that a refusal is found early. ``alone``: of local folders, none of another
    run. Raises StorageError."""
    if not has_scheme(place) or place.startswith("file://"):
        folder = Path(path_of(place) if has_scheme(place) else place)
        with results_folder(folder, alone=alone) as made:
            yield made
        return
    storage = _open(place if place.endswith("://") else place.rstrip("/"), settings)
    folder = Path(tempfile.mkdtemp(prefix="dl-driver-results-"))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder)
        raise
    try:
        _send(storage, folder)
    except (StorageError, KeyboardInterrupt) as error:
        raise type(error)(f"{str(error) or 'interrupted'}; the results are in {folder}") from error
    shutil.rmtree(folder)


def _open(place: str, settings: StorageSettings) -> Storage:
    """The storage, tried out."""
    storage = open_storage(place, settings)
    if not storage.remote:
        raise StorageError(
            f"{place}: expected a folder or an object store (s3://, az://, gs://) for the results: choose another"
            " place with --results"
        )
    probe = f"{_LAST}.partial"
    try:
        storage.put(probe, [Piece(0, b"")])
        storage.delete([probe])
    except StorageError as error:
        raise type(error)(f"{error}; choose another place for the results with --results") from error
    return storage


def _send(storage: Storage, folder: Path) -> None:
    """All files or none."""
    sent: list[str] = []
    try:
        for path in sorted(folder.iterdir(), key=lambda path: (path.name == _LAST, path.name)):
            storage.put(path.name, _pieces(path))
            sent.append(path.name)
    except BaseException:
        with contextlib.suppress(StorageError):  # the first error is the one to tell
            storage.delete(sent)
        raise
    # Files of an earlier run of more accelerators are no part of this one.
    old = (info.key for info in storage.list() if _OF_A_RANK.fullmatch(info.key))
    storage.delete([key for key in old if key not in sent])


def _pieces(path: Path) -> Iterator[Piece]:
    with path.open("rb") as file:
        at = 0
        while block := file.read(_WINDOW_BYTES):
            yield Piece(at, block)
            at += len(block)
