# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""nginx as a plain server of files, for benchmarks (Debian: nginx-light): it checks no signature."""

import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dl_driver.testing.guard import Bounds, ServerMissingError, free_port, guarded, work_folder
from dl_driver.testing.requests import answers

_MOST_OPEN_FILES = 200_000
_CONFIGURATION = """
daemon off;
{user}
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    sendfile {sendfile};
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    open_file_cache max={open_files} inactive=600s;
    open_file_cache_valid 600s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port}{tls};
        {certificate}
        root {root};
        {listing}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class NginxServer:
    """Where it answers."""

    endpoint_url: str
    """A file at ROOT/a/b is this and /a/b."""


def find_nginx() -> str:
    """The program. Raises ServerMissingError."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise ServerMissingError("nginx is not installed; on Debian: apt-get install nginx-light")
    return found


@contextmanager
def nginx(
    root: str | Path,
    *,
    workers: int = 2,
    certificate: tuple[str | Path, str | Path] | None = None,
    listing: tuple[str, str | Path] | None = None,
    sendfile: bool = True,
    bounds: Bounds | None = None,
) -> Iterator[NginxServer]:
    """A running server of the files below ``root``; with ``certificate`` (chain and key, PEM) by TLS.
    ``listing``: a bucket's name and a file that answers whoever lists it. ``sendfile=False`` suits files of a few KiB.
    Raises ServerMissingError, ServerError."""
    program = find_nginx()
    with work_folder("nginx") as folder:
        port = free_port()
        pem = "" if certificate is None else f"ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]};"
        text = _CONFIGURATION.format(
            user="user root;" if os.geteuid() == 0 else "",
            workers=workers,
            folder=folder,
            port=port,
            root=Path(root).absolute(),
            tls="" if certificate is None else " ssl",
            certificate=pem,
            # Each takes a descriptor of a process; half of those are left for connections and the rest.
            open_files=min(_MOST_OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2),
            sendfile="on" if sendfile else "off",
            listing="" if listing is None else _answer_listing(*listing),
        )
        configuration = folder / "nginx.conf"
        configuration.write_text(text, encoding="utf-8")
        scheme = "http" if certificate is None else "https"
        arguments = [program, "-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")]
        # Asked in plain HTTP, it also answers on a TLS port: with a complaint.
        with guarded(arguments, folder, lambda: answers(f"http://127.0.0.1:{port}/"), bounds=bounds):
            yield NginxServer(f"{scheme}://127.0.0.1:{port}")


def _answer_listing(bucket: str, file: str | Path) -> str:
    answer = f'default_type application/xml; alias "{Path(file).absolute()}";'
    return f"location = /{bucket} {{ {answer} }} location = /{bucket}/ {{ {answer} }}"
