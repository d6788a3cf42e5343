# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server on the wire, through Python's own HTTP client and raw sockets."""

import http.client
import signal
import socket
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dl_driver.config import load
from dl_driver.dataset.files import evaluation_files, training_files
from dl_driver.serving.answers import Answers
from dl_driver.serving.fleet import Address, ServeError, serving

PATH = "/bucket/train/img_07_of_64.npz"


def workload(size):
    return load("demo", [f"dataset.record_length_bytes={size}"]).workload


def expected(size, path=PATH):
    made = workload(size)
    answer = Answers((training_files(made), evaluation_files(made))).of(f"GET {path} HTTP/1.1\r\n".encode())
    return (answer.start + b"".join(answer.rest)).partition(b"\r\n\r\n")[2]


def where(fleet):
    host, _, port = fleet.url.partition("://")[2].partition(":")
    return host, int(port)


@pytest.mark.parametrize("size", [1024, 9_000_000])
def test_connections_are_kept_and_bytes_are_right(size):
    body = expected(size)
    with serving(workload(size), Address(), 2) as fleet:

        def read(_):
            client = http.client.HTTPConnection(*where(fleet), timeout=30)
            for _ in range(5):
                client.request("GET", PATH)
                assert client.getresponse().read() == body
            client.request("HEAD", PATH)
            answer = client.getresponse()
            assert (answer.read(), answer.length) == (b"", 0)
            client.request("GET", PATH, headers={"Range": f"bytes={size - 100}-"})
            assert client.getresponse().read() == body[size - 100 :]
            client.close()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(read, range(8)))
        totals = fleet.stop()
    assert totals.requests == 8 * 7
    assert totals.body_bytes == 8 * (5 * len(body) + len(body) - size + 100)


def test_requests_in_one_packet_and_a_head_in_many():
    body = expected(9_000_000)
    request = f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with serving(workload(9_000_000), Address()) as fleet, socket.create_connection(where(fleet), timeout=30) as raw:
        raw.sendall(request * 3)
        for byte in request[:-1]:
            raw.sendall(bytes([byte]))
        raw.sendall(request[-1:] + request.replace(b"Host: x", b"Connection: close"))
        got = b"".join(iter(lambda: raw.recv(1 << 20), b""))
    assert got.count(body) == 5
    assert got.count(b"HTTP/1.1 200 OK\r\n") == 5


def test_a_head_without_end_is_refused():
    with serving(workload(1024), Address()) as fleet, socket.create_connection(where(fleet), timeout=30) as raw:
        raw.sendall(b"x" * 65537)
        assert until_end(raw) == b""
        with socket.create_connection(where(fleet), timeout=30) as other:
            other.sendall(f"HEAD {PATH} HTTP/1.1\r\n\r\n".encode())
            assert other.recv(100).startswith(b"HTTP/1.1 200 OK")


def until_end(raw):
    """What comes until the connection ends, be it in order or by a reset."""
    got = b""
    try:
        while block := raw.recv(65536):
            got += block
    except ConnectionResetError:
        pass
    return got


def self_signed(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, kept = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    kept.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(pem), str(kept)


@pytest.mark.parametrize("size", [1024, 9_000_000])
def test_tls(tmp_path, size):
    pem, key = self_signed(tmp_path)
    body = expected(size)
    with serving(workload(size), Address(tls_cert=pem, tls_key=key)) as fleet:
        client = http.client.HTTPSConnection(
            "localhost", where(fleet)[1], timeout=30, context=ssl.create_default_context(cafile=pem)
        )
        for _ in range(3):
            client.request("GET", PATH)
            assert client.getresponse().read() == body
        client.close()
        with socket.create_connection(where(fleet), timeout=30) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert not until_end(raw).startswith(b"HTTP")


def test_a_certificate_that_is_none(tmp_path):
    wrong = tmp_path / "cert.pem"
    wrong.write_text("no certificate")
    with (
        pytest.raises(ServeError, match="expected PEM files that match"),
        serving(workload(1024), Address(tls_cert=str(wrong))),
    ):
        pass


def test_a_port_in_use_is_refused_and_not_shared():
    with serving(workload(1024), Address()) as fleet:
        again = serving(workload(1024), Address(port=where(fleet)[1]))
        with pytest.raises(ServeError, match=r"Address already in use; choose another --port"), again:
            pass


def test_the_command_prints_where_it_is_and_ends_in_order():
    arguments = ["serve-null", "demo", "--port", "0", "--processes", "2"]
    code = "import sys; from dl_driver.cli.main import main; sys.argv[0] = 'dl-driver'; main()"
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        url = server.stdout.readline().strip()
        host, _, port = url.removeprefix("http://").partition(":")
        client = http.client.HTTPConnection(host, int(port), timeout=30)
        client.request("GET", PATH)
        length = len(client.getresponse().read())
        client.close()
        server.send_signal(signal.SIGTERM)
        _, told = server.communicate(timeout=30)
    assert server.returncode == 0
    assert f"answered 1 requests, {length:,} bytes" in told
