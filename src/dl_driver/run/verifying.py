# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verification of a workload's data set, and what its result may mean."""

from collections.abc import Iterator

from dl_driver.config import Workload
from dl_driver.dataset.compare import Kind
from dl_driver.dataset.files import content_shape, evaluation_files, training_files
from dl_driver.dataset.verify import Verification, VerificationReport, verify
from dl_driver.dataset.work import Progress
from dl_driver.errors import ConfigError, Problem
from dl_driver.formats import get_format
from dl_driver.run.feeds import storage_settings
from dl_driver.storage import open_storage


def verify_data_set(
    workload: Workload, *, workers: int | None, progress: Progress, max_wrong: int | None = None
) -> VerificationReport:
    """Compare the workload's training and evaluation files with what generation writes. Raises ConfigError where
    nothing is stored that could be compared."""
    splits = (training_files(workload), evaluation_files(workload))
    settings, uri = storage_settings(workload, 1), workload.data_uri
    if not get_format(splits[0].format, splits[0].options).stored:
        raise _nothing("dataset.format", f"files of the format {splits[0].format} do not exist, samples are made up")
    if uri.startswith("null://"):
        raise _nothing("dataset.data_folder", f"{uri} forgets what is written and makes up what is read")
    if open_storage(uri, settings).in_process:
        raise _nothing("dataset.data_folder", f"{uri} lives in the process that wrote it, and ends with it")
    verification = Verification(uri, settings, splits, workload.train.seed, content_shape(workload))
    return verify(verification, workers, progress, max_wrong)


def _nothing(key: str, why: str) -> ConfigError:
    message = f"there is nothing to verify: {why}; expected a format and a storage that keep what is generated"
    return ConfigError([Problem(key, message)])


def notes(workload: Workload, report: VerificationReport) -> Iterator[str]:
    """What to know about a result, a sentence or two each."""
    if report.wrong == report.files and report.files:
        yield _nothing_right(workload, report)
    libraries = training_files(workload).file_format.libraries
    if libraries and _contents_differ(report):
        yield (
            f"the bytes of these {workload.dataset.format} files depend on {libraries}: another version may write the"
            " same samples in other bytes, and files do not tell which one wrote them"
        )
    if report.fallbacks:
        yield (
            f"{report.fallbacks:,} reads went through the page cache although direct:// was asked for; what they saw"
            " may not be on the device"
        )
    if report.extra:
        some, do, them = ("objects", "do", "them") if report.extra > 1 else ("object", "does", "it")
        yield (
            f"{report.extra:,} {some} in the data set's folders {do} not belong to it, such as"
            f" {report.extra_examples[0]}; no run of this workload reads {them}"
        )
    if report.not_listed:
        yield f"whether other objects lie beside the data set's is not known: {report.not_listed}"


def _contents_differ(report: VerificationReport) -> bool:
    return any(report.kinds[kind] for kind in (Kind.DIFFERENT, Kind.SHORTER, Kind.LONGER))


def _nothing_right(workload: Workload, report: VerificationReport) -> str:
    if not _contents_differ(report) and report.kinds[Kind.UNREADABLE]:
        return "no file can be read: check permissions or credentials"
    if not _contents_differ(report):
        return (
            "no file is there: generate the data set with `dl-driver generate`, or check dataset.data_folder,"
            " num_files_train, num_subfolders_train and file_prefix"
        )
    return (
        f"no file is as generated: they were not written by `dl-driver generate` with train.seed={workload.train.seed}"
        " and this dataset section. Another seed, other values of its keys, and other programs, such as dlio_benchmark,"
        " write other bytes"
    )
