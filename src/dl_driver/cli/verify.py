# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``dl-driver verify``: compare a data set with what was generated, byte for byte."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dl_driver.cli.options import ConfigArguments, ConfigOption, EnvFileOption, JsonOption, load_workload
from dl_driver.cli.progress import Progress, ProgressStyle

if TYPE_CHECKING:
    from dl_driver.config import Workload
    from dl_driver.dataset.verify import Mismatch, VerificationReport

_MOST_SHOWN = 20


def verify(
    arguments: ConfigArguments = None,
    config: ConfigOption = None,
    env_file: EnvFileOption = None,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Comparing processes; default: one a core.")
    ] = None,
    max_differences: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop when N files differ or are missing.")
    ] = None,
    progress: Annotated[ProgressStyle, typer.Option(help="How to show progress, on stderr.")] = ProgressStyle.AUTO,
    json: JsonOption = False,
) -> None:
    """Compare a workload's data set with what generate wrote, byte for byte.

    The content is computed again from the workload (train.seed above all) and compared with what the storage holds; of
    each file that is not the same, the first byte that differs is named. Exit status 0: all are the same; 1: not all.
    """
    from dl_driver.run.verifying import notes, verify_data_set

    workload = load_workload(arguments, config, env_file).workload
    shown = Progress(progress, "files")
    report = verify_data_set(workload, workers=workers, progress=shown.update, max_wrong=max_differences)
    said = list(notes(workload, report))
    if json:
        from json import dumps

        print(dumps(_as_json(workload, report, said), indent=2))
    else:
        print("\n".join([*_as_text(report), _verdict(workload, report)]))
        for note in said:
            print(f"dl-driver: note: {note}", file=sys.stderr)
    if report.wrong:
        raise typer.Exit(1)


def _as_json(workload: "Workload", report: "VerificationReport", said: list[str]) -> dict[str, Any]:
    from dataclasses import asdict

    from dl_driver.dataset.verify import counts

    mismatches = [
        {name: value for name, value in asdict(one).items() if name != "file" and value is not None}
        for one in report.mismatches
    ]
    return {
        "workload": workload.name,
        "data_uri": workload.data_uri,
        "format": workload.dataset.format.value,
        "seed": workload.train.seed,
        "equal": not report.wrong and report.files == report.total,
        "num_files": report.total,
        "num_files_compared": report.files,
        "num_files_wrong": report.wrong,
        "bytes": report.bytes,
        "seconds": report.seconds,
        "objects": counts(report),
        "mismatches": mismatches,
        "num_extra": None if report.not_listed else report.extra,
        "extra": list(report.extra_examples),
        "notes": said,
    }


def _as_text(report: "VerificationReport") -> list[str]:
    """A line for each object that is wrong, as many as can be looked through."""
    lines = [_line(mismatch) for mismatch in report.mismatches[:_MOST_SHOWN]]
    more = sum(report.kinds.values()) - len(lines)
    return lines if not more else [*lines, f"... and {more:,} more; --json names them"]


def _line(one: "Mismatch") -> str:
    from dl_driver.dataset.compare import Kind

    sizes = f"{_number(one.found_size)} bytes, expected {_number(one.expected_size)}"
    if one.kind is Kind.DIFFERENT:
        size = f"; it has {sizes}" if one.found_size != one.expected_size else ""
        return f"{one.key}: differs from byte {one.offset} on: {one.found:02x}, expected {one.expected:02x}{size}"
    if one.kind in (Kind.SHORTER, Kind.LONGER):
        how = "short" if one.kind is Kind.SHORTER else "long"
        return f"{one.key}: is too {how}: {sizes}; up to byte {one.offset} all are right"
    return f"{one.key}: {'is missing' if one.kind is Kind.MISSING else one.reason}"


def _number(size: int | None) -> str:
    return "an unknown number of" if size is None else f"{size}"


def _verdict(workload: "Workload", report: "VerificationReport") -> str:
    rate = report.bytes / report.seconds / 2**20 if report.seconds else 0.0
    stopped = f" of {report.total:,}" if report.files < report.total else ""
    found = f"{report.wrong:,} differ or are missing" if report.wrong else "all are as generated"
    return (
        f"verified {report.files:,}{stopped} files, {report.bytes / 2**20:,.1f} MiB in {report.seconds:.2f} s"
        f" ({rate:,.0f} MiB/s): {found}: {workload.data_uri}"
    )
