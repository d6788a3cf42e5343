# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS as a user meets it: a given authority, and certificates and ports that are not right."""

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dl_driver.errors import StorageError
from dl_driver.storage import open_storage
from dl_driver.storage.base import Piece, Read, Storage, StorageSettings
from dl_driver.storage.options import ObjectStoreOptions

BODY = bytes(range(256)) * 20_000
"""More than a TLS record, and than a socket's buffer."""


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        pass


def certificate(folder: Path, name: str, *, host: str = "localhost", ends_in: timedelta = timedelta(days=1)) -> Path:
    """A file with a key and a certificate that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    ends = datetime.now(UTC) + ends_in
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, ends - timedelta(days=9), ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    kind = serialization.PrivateFormat.PKCS8
    text = key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())
    path.write_bytes(text + made.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def server(pem: Path | None) -> Iterator[int]:
    """Its port; plain without a certificate."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as running:
        if pem is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            # The handshake is for the connection's own thread, so that one that fails does not end the server.
            running.socket = context.wrap_socket(running.socket, server_side=True, do_handshake_on_connect=False)
        running.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield running.server_address[1]
        finally:
            running.shutdown()
            thread.join()


def open_s3(url: str, ca_file: Path | None) -> Storage:
    keys = {"anonymous": True, "endpoint_url": url, "s3_max_attempts": 2, "first_byte_timeout": 5}
    if ca_file is not None:
        keys["ca_file"] = str(ca_file)
    return open_storage("s3://bucket", StorageSettings(options=ObjectStoreOptions.of_mapping(keys)))


def read(storage: Storage) -> bytes:
    queue, into = storage.open_reader(1), memoryview(bytearray(len(BODY) + 1))
    try:
        queue.submit([Read("key", 0, len(into), into, 1)])
        (done,) = queue.wait(60_000_000_000)
    finally:
        queue.close()
    if done.error is not None:
        raise done.error
    return bytes(into[: done.length])


def write(storage: Storage) -> int:
    return storage.put("key", [Piece(0, b"body")])


def list_all(storage: Storage) -> list[object]:
    return list(storage.list())


def test_a_given_authority_is_trusted(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "right")
    with server(pem) as port:
        assert read(open_s3(f"https://localhost:{port}", pem)) == BODY


@pytest.mark.parametrize("do", [read, write, list_all])
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("authority", r"is not trusted.*storage\.storage_options\.ca_file"),
        ("no authority", r"is not trusted.*storage\.storage_options\.ca_file"),
        ("expired", r"has expired.*renew it.*clock"),
        ("name", r"is for another name"),
        ("plain port", r"does not speak TLS: write http://"),
        ("TLS port", r"speaks TLS: write https://"),
    ],
)
def test_what_is_not_right_is_named_with_the_way_out(
    tmp_path: Path, do: Callable[[Storage], object], wrong: str, words: str
) -> None:
    host = "elsewhere.example" if wrong == "name" else "localhost"
    ends_in = timedelta(hours=-1) if wrong == "expired" else timedelta(days=1)
    pem = certificate(tmp_path, "server", host=host, ends_in=ends_in)
    ca_file = None if wrong == "no authority" else pem
    if wrong == "authority":
        ca_file = certificate(tmp_path, "other")
    with ExitStack() as stack:
        port = stack.enter_context(server(None if wrong == "plain port" else pem))
        scheme = "http" if wrong == "TLS port" else "https"
        with pytest.raises(StorageError, match=words) as raised:
            do(open_s3(f"{scheme}://localhost:{port}", ca_file))
    assert f"{scheme}://localhost:{port}" in str(raised.value)


def test_an_authoritys_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("no certificate")
    for path in (tmp_path / "none.pem", tmp_path / "missing.pem"):
        for do in (read, write, list_all):
            with pytest.raises(StorageError, match=r"expected a file with certificates in PEM form"):
                do(open_s3("https://localhost:9", path))
