# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``dl-driver doctor``: what this machine, and a storage, can do for a run."""

from typing import TYPE_CHECKING, Annotated

import typer

from dl_driver.cli.options import EnvFileOption, JsonOption
from dl_driver.cli.tables import render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dl_driver.doctor.findings import Finding
    from dl_driver.storage.base import StorageSettings


def doctor(
    uri: Annotated[
        str | None,
        typer.Argument(metavar="[URI]", help="A storage to try: a folder or a URI. A probe object is written there."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...", help="How it is reached, such as storage.storage_options.endpoint_url=http://HOST"
        ),
    ] = None,
    env_file: EnvFileOption = None,
    json: JsonOption = False,
) -> None:
    """Find out what this machine can do, and whether a storage can be listed, written and read, and how fast."""
    from dl_driver.doctor.findings import anything_missing

    if env_file is not None:
        from dl_driver.config.envfile import read_env_file

        read_env_file(env_file)
    findings = list(_findings(uri, overrides or []))
    print(_as_json(findings) if json else _as_text(findings))
    if anything_missing(findings):
        raise typer.Exit(1)


def _findings(uri: str | None, overrides: list[str]) -> "Iterator[Finding]":
    from dl_driver.doctor.machine import examine_machine
    from dl_driver.doctor.store import examine_uri, local_folder

    folder = None if uri is None else local_folder(uri)
    yield from examine_machine(folder or ".")
    if uri is not None:
        yield from examine_uri(uri, _settings(overrides))


def _settings(overrides: list[str]) -> "StorageSettings":
    """As a workload with these overrides would have it; raises ConfigError."""
    from dl_driver.config import load
    from dl_driver.run.feeds import storage_settings
    from dl_driver.storage.base import StorageSettings

    return storage_settings(load("demo", overrides).workload, 1) if overrides else StorageSettings()


def _as_json(findings: "list[Finding]") -> str:
    from dataclasses import asdict
    from json import dumps

    from dl_driver.doctor.findings import anything_missing

    return dumps({"ready": not anything_missing(findings), "findings": [asdict(one) for one in findings]}, indent=2)


def _as_text(findings: "list[Finding]") -> str:
    table = render(("what", "", "found"), [(one.name, one.grade.value, one.text) for one in findings], left=range(3))
    advice = [f"{one.name}: {one.advice}" for one in findings if one.advice]
    return "\n".join([table, "", *advice] if advice else [table])
