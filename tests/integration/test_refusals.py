# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps a run from its data has a message of its own with the way out: in run, generate and doctor, as a user sees
them. Real servers refuse where they know how; what only the providers' own refuse is answered with the error bodies
that their references document."""

import base64
import hmac
import http.server
import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from certificates import Certificates, make_certificates

from dl_driver.cli.app import run_command
from dl_driver.testing.azurite import AzureServer, azurite
from dl_driver.testing.fake_gcs import GcsServer
from dl_driver.testing.guard import ServerMissingError
from dl_driver.testing.nginx import nginx
from dl_driver.testing.seaweedfs import S3Server

SMALL = [
    "dataset.record_length_bytes=1000", "dataset.num_files_train=4", "train.computation_time=0.001",
    "workflow.evaluation=false", "storage.storage_options.s3_max_attempts=2",
]  # fmt: skip
WRONG = "WRONGSECRETWRONGSECRETWRONGSECRET"
KEYS = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "reader-secret"}
PROVIDERS = re.compile(r"(?i)(AWS|S3|AZURE|GOOGLE|GCS|STORAGE|CLOUDSDK)_|.*_proxy$|DL_DRIVER_SHIFT")


@dataclass(frozen=True)
class Case:
    """A place that cannot be used, and why."""

    uri: str
    environment: Mapping[str, str]
    words: str
    """What each command says, as a pattern."""
    status: int = 2
    """Of run and generate; doctor's is 1."""
    secrets: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    """Overrides."""
    commands: tuple[str, ...] = field(default=("run", "generate", "doctor"))


class Commands:
    """The commands in this process, since most of what a test would wait for otherwise is Python's start."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self._folder, self._patch, self._capture = folder, patch, capture
        for name in os.environ:
            if PROVIDERS.match(name):
                patch.delenv(name)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("NO_GCE_CHECK", "true")
        patch.setenv("HOME", str(folder))
        patch.chdir(folder)

    def meet(self, case: Case) -> None:
        """Let each command meet it."""
        place = f"dataset.data_folder={case.uri}"
        results = str(self._folder / "results")
        every = {
            "run": ["run", "demo", place, *SMALL, "workflow.generate_data=false", "--results", results, *case.more],
            "generate": ["generate", "demo", place, *SMALL, *case.more, "--workers", "1"],
            "doctor": ["doctor", case.uri, "storage.storage_options.s3_max_attempts=2", *case.more],
        }
        with self._patch.context() as patch:
            for name, value in case.environment.items():
                patch.setenv(name, value) if value else patch.delenv(name, raising=False)
            for name in case.commands:
                patch.setattr(sys, "argv", ["dl-driver", *every[name]])
                self._check(name, case, run_command())
        assert not (self._folder / "results").exists()

    def _check(self, name: str, case: Case, status: int) -> None:
        out, err = self._capture.readouterr()
        told = out + err
        assert status == (1 if name == "doctor" else case.status), (name, told)
        text = out if name == "doctor" else err
        assert re.search(case.words, text), (name, told)
        assert name == "doctor" or text.count("dl-driver: ") == 1
        assert "Traceback" not in told
        assert "Debug source" not in told
        assert not [secret for secret in case.secrets if secret in told], (name, told)


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(tmp_path, monkeypatch, capsys)


def s3(server: S3Server) -> dict[str, str]:
    return {**KEYS, "AWS_ENDPOINT_URL": server.endpoint_url}


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server) -> str:
    s3_server.make_bucket("refusals")
    return "s3://refusals/set"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"AWS_SECRET_ACCESS_KEY": WRONG}, "the secret key does not belong to the access key: check storage"),
        ({"AWS_ACCESS_KEY_ID": WRONG}, "the server does not know the access key: check storage"),
        (
            {"AWS_ACCESS_KEY_ID": "stranger", "AWS_SECRET_ACCESS_KEY": "stranger-secret"},
            "no permission: allow these credentials s3:GetObject",
        ),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "of the credentials, secret_access_key is missing: set AWS_ACCESS_KEY_ID"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no credentials were found: set AWS_ACCESS_KEY_ID"),
        ({"AWS_PROFILE": "none", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "none.*check .*profile"),
    ],
)
def test_s3_keys(s3_server: S3Server, bucket: str, commands: Commands, changed: dict[str, str], words: str) -> None:
    secrets = (WRONG, "reader-secret", "stranger-secret")
    commands.meet(Case(bucket, {**s3(s3_server), **changed}, words, secrets=secrets))


def test_a_bucket_that_is_not_there(s3_server: S3Server, commands: Commands) -> None:
    """SeaweedFS makes a bucket for whoever may write, so that a generation finds none missing."""
    words = "there is no such bucket at this endpoint: create it"
    commands.meet(Case("s3://nowhere/set", s3(s3_server), words, commands=("run",)))


def test_s3_with_a_clock_an_hour_ahead(
    s3_server: S3Server, bucket: str, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_time, real_gmtime = time.time, time.gmtime
    monkeypatch.setattr(time, "time", lambda: real_time() + 3600)
    monkeypatch.setattr(time, "gmtime", lambda at=None: real_gmtime(time.time() if at is None else at))
    words = "this machine's clock and the server's differ by too much: set the clock"
    environment = s3(s3_server)
    # This process's clock alone is shifted, and not the general client's: so what meets it is a write from here.
    commands.meet(Case(bucket, environment, words, more=("--results", f"{bucket}/results"), commands=("run",)))
    commands.meet(Case(bucket, environment, words, commands=("doctor",)))
    commands.meet(Case(bucket, environment, r"its clock is 3,[56]\d\d s behind this machine's", commands=("doctor",)))


def azure(server: AzureServer, **changed: str) -> dict[str, str]:
    return {
        "AZURE_STORAGE_ACCOUNT": server.account,
        "AZURE_STORAGE_KEY": server.account_key,
        "AZURE_STORAGE_ENDPOINT": server.endpoint_url,
        **changed,
    }


def sas(server: AzureServer, ends: datetime, permissions: str) -> str:
    """Signed as Azure's documentation says (account SAS, version 2018-11-09)."""
    until = ends.strftime("%Y-%m-%dT%H:%M:%SZ")
    text = f"{server.account}\n{permissions}\nb\nsco\n\n{until}\n\n\n2018-11-09\n"
    digest = hmac.digest(base64.b64decode(server.account_key), text.encode(), "sha256")
    fields = {"sv": "2018-11-09", "ss": "b", "srt": "sco", "sp": permissions, "se": until}
    return urlencode({**fields, "sig": base64.b64encode(digest).decode()})


def test_azure_keys(azure_server: AzureServer, azure_container: str, commands: Commands) -> None:
    uri, wrong = f"az://{azure_container}/set", base64.b64encode(WRONG.encode()).decode()
    secrets = (azure_server.account_key, wrong, WRONG)
    words = "the server does not let this request in: check the account and its key"
    commands.meet(Case(uri, azure(azure_server, AZURE_STORAGE_KEY=wrong), words, secrets=secrets))
    environment = azure(azure_server, AZURE_STORAGE_KEY=f"{WRONG}!")
    commands.meet(Case(uri, environment, "is no Base64: copy it whole", secrets=secrets))
    words = "there is no such container in this account: create it"
    commands.meet(Case("az://nowhere/set", azure(azure_server), words, secrets=secrets))


def test_a_sas_that_is_over_or_allows_too_little(
    azure_server: AzureServer, azure_container: str, commands: Commands
) -> None:
    uri, now = f"az://{azure_container}/set", datetime.now(UTC)
    over = sas(azure_server, now - timedelta(hours=1), "rwdlac")
    environment = azure(azure_server, AZURE_STORAGE_KEY="", AZURE_STORAGE_SAS_TOKEN=over)
    secrets = (azure_server.account_key, over[-30:])
    commands.meet(Case(uri, environment, r"the SAS has expired \(it ended at 20.*: get a new one", secrets=secrets))
    little = sas(azure_server, now + timedelta(hours=1), "d")
    environment = azure(azure_server, AZURE_STORAGE_KEY="", AZURE_STORAGE_SAS_TOKEN=little)
    words = "no permission: .*or a SAS with the permissions racwdl"
    commands.meet(Case(uri, environment, words, secrets=(little[-30:],)))


def bearer(ends_in_s: int, audience: str = "https://storage.azure.com") -> str:
    """A token as Azurite takes it: it looks at the claims, not at the signature."""
    now = int(time.time())
    claims = {
        "aud": audience,
        "iss": "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
        "iat": now - 7200,
        "nbf": now - 7200,
        "exp": now + ends_in_s,
        "appid": "a-program",
    }
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims)] + [b"SIGNATURESIGNATURE"]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def azure_by_tls(certificates: Certificates) -> Iterator[AzureServer]:
    try:
        with azurite(certificate=(certificates.chain, certificates.key)) as server:
            yield server
    except ServerMissingError as missing:
        pytest.skip(str(missing))


def test_bearer_tokens_and_tls(azure_by_tls: AzureServer, certificates: Certificates, commands: Commands) -> None:
    """One server for all of it, since it takes seconds to start."""
    server, trusted = azure_by_tls, (f"storage.storage_options.ca_file={certificates.authority}",)

    def environment(token: str, url: str = server.endpoint_url) -> dict[str, str]:
        return azure(server, AZURE_STORAGE_KEY="", AZURE_STORAGE_TOKEN=token, AZURE_STORAGE_ENDPOINT=url)

    uri, good = "az://nowhere/set", bearer(3600)
    for token, words in (
        (good, "there is no such container in this account: create it"),
        (bearer(-3600), "the token has expired.*: get a new one"),
        (bearer(3600, "https://elsewhere.example"), "the server does not accept the token: is it for https://storage"),
    ):
        commands.meet(Case(uri, environment(token), words, more=trusted, secrets=(token[-24:],)))
    words = r"is not trusted.*storage\.storage_options\.ca_file"
    commands.meet(Case(uri, environment(good), words, secrets=(good[-24:],)))
    plain = server.endpoint_url.replace("https", "http")
    commands.meet(Case(uri, environment(good, plain), r"speaks TLS: write https://"))


def test_a_bucket_of_google_that_is_not_there(gcs_server: GcsServer, gcs_bucket: str, commands: Commands) -> None:
    environment = {"STORAGE_EMULATOR_HOST": gcs_server.endpoint_url}
    commands.meet(Case("gs://nowhere/set", environment, "there is no such bucket: create it"))


def test_google_without_credentials(commands: Commands) -> None:
    for more in ({}, {"GOOGLE_APPLICATION_CREDENTIALS": "/no/such/file.json"}):
        environment = {"GCS_ENDPOINT_URL": "http://127.0.0.1:9", **more}
        words = "Google's own chain found no credentials.*set GOOGLE_APPLICATION_CREDENTIALS"
        commands.meet(Case("gs://bucket/set", environment, words, commands=("run", "generate")))


ENDPOINT_VARIABLES = {
    "s3://bucket/set": ("AWS_ENDPOINT_URL", KEYS),
    "az://account/container/set": ("AZURE_STORAGE_ENDPOINT", {"AZURE_STORAGE_KEY": "aGlkZGVuIGtleQ=="}),
    "gs://bucket/set": ("STORAGE_EMULATOR_HOST", {}),
}


@pytest.mark.parametrize("uri", list(ENDPOINT_VARIABLES))
@pytest.mark.parametrize(
    ("url", "words", "status"),
    [
        ("http://nowhere.invalid", r"nowhere\.invalid.*cannot be resolved.*check storage.*endpoint_url", 1),
        ("http://127.0.0.1:9", r"http://127\.0\.0\.1:9\b.*refused: is the server running", 1),
        ("ftp://127.0.0.1", r"ftp://127\.0\.0\.1 is no address of a server: expected http://host:port", 2),
        ("http://user:WRONGSECRET@127.0.0.1:9", "without a user or a password", 2),
    ],
)
def test_endpoints_that_are_none(commands: Commands, uri: str, url: str, words: str, status: int) -> None:
    name, environment = ENDPOINT_VARIABLES[uri]
    commands.meet(Case(uri, {**environment, name: url}, words, status, secrets=("WRONGSECRET",)))


def test_an_endpoint_without_its_protocol(commands: Commands) -> None:
    words = "write http://127.0.0.1:9000 or, with TLS, https://127.0.0.1:9000"
    commands.meet(Case("s3://bucket/set", {**KEYS, "AWS_ENDPOINT_URL": "127.0.0.1:9000"}, words))


@pytest.mark.parametrize("uri", list(ENDPOINT_VARIABLES))
@pytest.mark.parametrize("port", ["plain", "TLS", "untrusted", "expired"])
def test_tls_that_is_not_right(
    commands: Commands, tmp_path: Path, certificates: Certificates, uri: str, port: str
) -> None:
    """nginx as the server, which both speak to before any signature counts."""
    name, environment = ENDPOINT_VARIABLES[uri]
    words = {
        "plain": "does not speak TLS: write http://",
        "TLS": "speaks TLS: write https://",
        "untrusted": r"is not trusted.*storage\.storage_options\.ca_file",
        "expired": "has expired: renew it, and check this machine's clock",
    }[port]
    made = certificates
    if port == "expired":
        made = make_certificates(tmp_path, ends_in=timedelta(hours=-1))
    with ExitStack() as stack:
        pair = None if port == "plain" else (made.chain, made.key)
        try:
            url = stack.enter_context(nginx(tmp_path, workers=1, certificate=pair)).endpoint_url
        except ServerMissingError as missing:
            pytest.skip(str(missing))
        url = url.partition("://")[2]
        scheme = "http" if port == "TLS" else "https"
        more = (f"storage.storage_options.ca_file={made.authority}",) if port == "expired" else ()
        commands.meet(Case(uri, {**environment, name: f"{scheme}://{url}"}, words, more=more))


@contextmanager
def answering(status: int, body: str, headers: Mapping[str, str]) -> Iterator[str]:
    """The address of a server that answers everything alike; without a body to a HEAD, as HTTP has it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body.encode())

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def xml(code: str, message: str, more: str = "") -> str:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{head}<Error><Code>{code}</Code><Message>{message}</Message>{more}<RequestId>4442587F</RequestId></Error>"


def json_error(status: int, reason: str, message: str) -> str:
    """As Google's JSON interface tells errors."""
    one = {"domain": "global", "reason": reason, "message": message}
    return json.dumps({"error": {"errors": [one], "code": status, "message": message}}, indent=1)


S3_URI, AZ_URI, GS_URI = ENDPOINT_VARIABLES
TOKEN = {"AWS_SESSION_TOKEN": "TOKENTOKENTOKEN"}
BEARER = {"GOOGLE_BEARER_TOKEN": "TOKENTOKENTOKEN", "STORAGE_EMULATOR_HOST": ""}
HMAC = {"GCS_ACCESS_KEY_ID": "GOOG1", "GCS_SECRET_ACCESS_KEY": "TOKENTOKENTOKEN", "STORAGE_EMULATOR_HOST": ""}
SET_REGION = "the bucket lies in the region eu-west-1: set storage.storage_options.region or AWS_REGION"
AZURE_403 = (
    "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly"
    " including the signature."
)


def detail(text: str) -> str:
    return f"<AuthenticationErrorDetail>{text}</AuthenticationErrorDetail>"


@pytest.mark.parametrize(
    ("uri", "more", "status", "body", "words"),
    [
        (S3_URI, TOKEN, 400, xml("ExpiredToken", "The provided token has expired."), "session token has expired: get"),
        (S3_URI, TOKEN, 400, xml("InvalidToken", "The provided token is malformed."), "session token is not valid"),
        (S3_URI, {}, 403, xml("RequestTimeTooSkewed", "The difference is too large."), "set the clock"),
        (S3_URI, {}, 403, xml("AccessDenied", "Access Denied"), "no permission: allow these credentials"),
        (S3_URI, {}, 403, xml("SignatureDoesNotMatch", "It does not match."), "secret key does not belong"),
        (S3_URI, {}, 404, xml("NoSuchBucket", "The bucket does not exist"), "no such bucket at this endpoint"),
        (
            S3_URI,
            {},
            400,
            xml("AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-west-1'"),
            SET_REGION,
        ),
        (
            S3_URI,
            {},
            301,
            xml("PermanentRedirect", "It must be addressed using the specified endpoint.",
                "<Endpoint>bucket.s3-eu-west-1.amazonaws.com</Endpoint>"),
            f"{SET_REGION}|the bucket lies in another region",
        ),
        (AZ_URI, {}, 403, xml("AuthenticationFailed", AZURE_403, detail("The MAC signature found in the HTTP request")),
         "does not accept the signature: check the account and its key"),
        (AZ_URI, {}, 403, xml("AuthenticationFailed", AZURE_403, detail("Request date header too old: 'Mon, 05'")),
         "set the clock"),
        (AZ_URI, {}, 403, xml("AuthorizationPermissionMismatch", "not authorized"), "Storage Blob Data Contributor"),
        (GS_URI, BEARER, 401, json_error(401, "authError", "Invalid Credentials"), "the token has expired or is not"),
        (GS_URI, BEARER, 403, json_error(403, "forbidden", "no storage.objects.get access"), "Storage Object User"),
        (GS_URI, HMAC, 403, xml("SignatureDoesNotMatch", "Access denied."), "secret does not belong to the access key"),
        (GS_URI, HMAC, 403, xml("RequestTimeTooSkewed", "The difference is too large."), "set the clock"),
    ],
)  # fmt: skip
def test_what_the_providers_answer(
    commands: Commands, uri: str, more: dict[str, str], status: int, body: str, words: str
) -> None:
    name, environment = ENDPOINT_VARIABLES[uri]
    if uri == GS_URI:
        name = "GCS_ENDPOINT_URL"
    with answering(status, body, {"Content-Type": "application/xml"}) as url:
        case = Case(uri, {**environment, **more, name: url}, words, secrets=("TOKENTOKEN", "reader-secret", "aGlkZGVu"))
        commands.meet(case)
