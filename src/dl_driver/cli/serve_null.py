# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``dl-driver serve-null``: a server of a workload's objects that holds none of them."""

import os
import sys
from typing import Annotated

import typer

from dl_driver.cli.options import ConfigArguments, ConfigOption, EnvFileOption, load_workload
from dl_driver.errors import ConfigError, Problem


def serve_null(
    arguments: ConfigArguments = None,
    config: ConfigOption = None,
    env_file: EnvFileOption = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 9100,
    processes: Annotated[int | None, typer.Option(min=1, help="Processes; by default one a core.")] = None,
    tls_cert: Annotated[str | None, typer.Option("--tls-cert", metavar="FILE", help="Serve TLS (PEM).")] = None,
    tls_key: Annotated[str | None, typer.Option("--tls-key", metavar="FILE", help="The certificate's key.")] = None,
) -> None:
    """Answer reads of any object of a workload (S3, Azure, GCS) with valid bytes; what a client can do at most."""
    from dl_driver.serving.fleet import Address, serving

    if tls_key is not None and tls_cert is None:
        raise ConfigError([Problem("", "--tls-key needs --tls-cert, the certificate that belongs to it")])
    loaded = load_workload(arguments, config, env_file)
    count = processes or len(os.sched_getaffinity(0))
    with serving(loaded.workload, Address(host, port, tls_cert, tls_key), count) as fleet:
        print(fleet.url, flush=True)
        try:
            fleet.wait()
        except KeyboardInterrupt:
            totals = fleet.stop()
    print(f"answered {totals.requests:,} requests, {totals.body_bytes:,} bytes", file=sys.stderr)
