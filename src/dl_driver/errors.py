# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors that a user can see. Each message names the thing, what was expected, and what to do.

Exit statuses: 1 when the work ran but a target was missed or data were bad, 2 when it could not run.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class DlDriverError(Exception):
    """Any error of this package; its text is meant for the user."""

    exit_status: int = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a configuration."""

    path: str
    """Dotted key, such as ``reader.batch_size``; empty for the file as a whole."""
    message: str
    """What is wrong and what would be right."""
    file: str | None = None
    line: int | None = None
    """1-based, where the key or its value stands."""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " if self.file else ""
        return f"{where}{self.path}: {self.message}" if self.path else f"{where}{self.message}"


class ConfigError(DlDriverError):
    """A configuration that cannot be used; carries every problem found, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class StorageError(DlDriverError):
    """A storage operation failed: names the object, the operation and the reason."""


class NotFoundError(StorageError):
    """There is no such object."""


class UnreachableError(StorageError):
    """A server that does not answer, or not as it should, however often it is asked."""

    exit_status = 1


class DataError(DlDriverError):
    """The data set is not what the workload says: missing, too small, of another shape."""


class FormatError(DlDriverError):
    """Bytes that are not a valid file of their format; raised without the file's name, which the caller adds."""

    exit_status = 1


class RunError(DlDriverError):
    """The work started and could not be finished."""

    exit_status = 1


class WorkerError(RunError):
    """A worker process died or failed; names the files it was at."""
