# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the engines for local files share."""

import errno
import os
from dataclasses import dataclass

from dl_driver.errors import NotFoundError, StorageError


@dataclass(frozen=True, slots=True)
class OpenMode:
    """How files are opened for reading."""

    flags: int
    fallback: bool = False
    """Direct I/O was asked for and is not possible here; reads go through the page cache and are counted."""


_REASONS = {
    errno.ENOENT: "there is no such file; generate the data set, or check dataset.data_folder and its counts",
    errno.EACCES: "permission denied; make the file readable for this user",
    errno.EISDIR: "it is a folder, expected a file",
    errno.EIO: "the device reported an input/output error",
    errno.EINVAL: "the file system refused the read; for direct:// it may not support O_DIRECT (use file://)",
    errno.EMFILE: "too many open files; raise the limit (ulimit -n)",
    errno.ENFILE: "the system has too many open files",
    errno.ELOOP: "too many symbolic links",
}


def read_error(root: str, key: str, number: int) -> StorageError:
    """The error of a failed read, from its errno."""
    reason = _REASONS.get(number, os.strerror(number))
    kind = NotFoundError if number == errno.ENOENT else StorageError
    return kind(f"cannot read {os.path.join(root, key)}: {reason}")
