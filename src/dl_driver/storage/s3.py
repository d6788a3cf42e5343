# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``s3://bucket/prefix``: Amazon S3 and what speaks its language."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, cast

from dl_driver.errors import StorageError
from dl_driver.storage import s3_failures
from dl_driver.storage.base import Piece, StorageSettings
from dl_driver.storage.cloud import CloudStorage, first_variable, soon, split_uri
from dl_driver.storage.engines.http_sender import Message, Sender
from dl_driver.storage.engines.http_service import Endpoint, Requests, parse_endpoint
from dl_driver.storage.s3_credentials import CredentialSource, find_credentials, profile_setting
from dl_driver.storage.s3_upload import S3Upload
from dl_driver.storage.sigv4 import PlainRequests, SignedRequests, quote_key, signed_headers
from dl_driver.storage.spool import spooled

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, S3Config, S3Credential

_DEFAULT_REGION = "us-east-1"
_STYLES = {"path": True, "virtual": False}
"""AWS_S3_ADDRESSING_STYLE: whether the bucket stands in the path; auto leaves it open."""
_OWNER = re.compile(r"<DisplayName>\s*([^<]+?)\s*</DisplayName>|<Owner>\s*<ID>\s*([^<]+?)\s*</ID>")
_HOST_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


class S3Storage(CloudStorage):
    """See the module's docstring."""

    failures = s3_failures.FAILURES

    def __init__(self, uri: str, settings: StorageSettings) -> None:
        super().__init__(uri, settings)
        bucket, self._prefix = split_uri(uri)
        self.bucket = bucket or first_variable("AWS_S3_BUCKET", "S3_BUCKET") or ""
        if not self.bucket:
            raise StorageError(f"{uri}: expected s3://bucket/prefix, or the bucket in S3_BUCKET")

    @property
    def prefix(self) -> str:
        """See CloudStorage."""
        return self._prefix

    @property
    def ca_file(self) -> str | None:
        """See CloudStorage."""
        return self.options.ca_file or first_variable("AWS_CA_BUNDLE")

    @cached_property
    def region(self) -> str:
        """That requests are signed for."""
        known = self.options.region or first_variable("AWS_REGION", "AWS_DEFAULT_REGION")
        return known or profile_setting(self.options, "region") or _DEFAULT_REGION

    @cached_property
    def endpoints(self) -> Sequence[Endpoint]:
        """See CloudStorage."""
        urls = self.options.endpoint_urls or _endpoints_of_environment()
        if not urls and (one := profile_setting(self.options, "endpoint_url")):
            urls = (one,)
        in_path = self.options.path_style
        if in_path is None:
            in_path = _STYLES.get((first_variable("AWS_S3_ADDRESSING_STYLE") or "").lower())
        if in_path is None:
            in_path = bool(urls) or not _HOST_NAME.fullmatch(self.bucket)
        urls = urls or (f"https://s3.{self.region}.amazonaws.com",)
        path = f"/{self.bucket}/" if in_path else "/"
        prefix = quote_key(self._prefix)
        return [parse_endpoint(url, path + prefix, host_prefix="" if in_path else f"{self.bucket}.") for url in urls]

    @cached_property
    def credentials(self) -> CredentialSource | None:
        """None: requests are not signed."""
        return find_credentials(self.uri, self.options)

    def requests(self, endpoint: Endpoint) -> Requests:
        """See Service."""
        if self.credentials is None:
            return PlainRequests(endpoint.authority, endpoint.path)
        return SignedRequests(endpoint.authority, endpoint.path, self.region, self.credentials)

    def make_client(self, endpoint: Endpoint, client_options: "ClientConfig") -> "ObjectStore":
        """See CloudStorage."""
        from obstore.store import S3Store

        virtual_host = endpoint.host.startswith(f"{self.bucket}.")
        bucket = "" if virtual_host else f"/{self.bucket}"
        path = endpoint.path.removesuffix(f"{bucket}/{quote_key(self._prefix)}")
        config: S3Config = {
            "endpoint": f"{endpoint.url}{path}",
            "region": self.region,
            "virtual_hosted_style_request": virtual_host,
            "unsigned_payload": True,
            "skip_signature": self.credentials is None,
        }
        return S3Store(
            self.bucket,
            config=config,
            client_options=client_options,
            retry_config={
                "max_retries": self.options.limits.attempts - 1,
                "retry_timeout": timedelta(minutes=3),
            },
            credential_provider=None if self.credentials is None else self._credential,
        )

    def who_am_i(self) -> str:
        """The access key's beginning and, where the server tells it, whose it is."""
        if self.credentials is None:
            return f"nobody in particular (no credentials), bucket {self.bucket}"
        key, owner = self.credentials().access_key_id, self._owner()
        told = f" of {owner}" if owner else ""
        return f"access key {key[:4]}...{told}, bucket {self.bucket}, region {self.region}"

    def _owner(self) -> str | None:
        """Whom the server takes this user for, as a list of buckets tells it; None where that is not to be had."""
        endpoint = self.write_endpoint
        host, authority = (name.removeprefix(f"{self.bucket}.") for name in (endpoint.host, endpoint.authority))
        endpoint = replace(endpoint, host=host, authority=authority)
        assert self.credentials is not None
        made = partial(signed_headers, "GET", authority, "/", self.region, self.credentials())
        sender = Sender(self, endpoint, self.options.limits)
        try:
            reply = sender.send(Message("GET", "/", made), attempts=1)
        except StorageError:
            return None  # Few need to be allowed this; what a run needs is tried by itself.
        finally:
            sender.close()
        found = _OWNER.search(reply.body.decode("utf-8", "replace"))
        return None if found is None else found[1] or found[2]

    def write(self, key: str, pieces: Iterable[Piece]) -> int:
        """See CloudStorage."""
        with spooled(pieces) as spool, self._sending("write", key):
            self._upload.send(f"{self.write_endpoint.path}{quote_key(key)}", spool)
            return spool.size

    @cached_property
    def _upload(self) -> S3Upload:
        return S3Upload(Sender(self, self.write_endpoint, self.options.limits), self._sign)

    def _sign(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        if self.credentials is None:
            return headers
        authority = self.write_endpoint.authority
        return signed_headers(method, authority, path, self.region, self.credentials(), query=query, extra=headers)

    def _credential(self) -> "S3Credential":
        assert self.credentials is not None
        found = self.credentials()
        return cast(
            "S3Credential",
            {
                "access_key_id": found.access_key_id,
                "secret_access_key": found.secret_access_key,
                "token": found.session_token,
                "expires_at": soon(),
            },
        )


def _endpoints_of_environment() -> tuple[str, ...]:
    several = first_variable("S3_ENDPOINT_URIS")
    if several:
        return tuple(url.strip() for url in several.split(",") if url.strip())
    one = first_variable("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "S3_ENDPOINT")
    return (one,) if one else ()
