# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listings, descriptions and errors in the words of the three storages; pages are computed, never held."""

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from itertools import islice
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

from dl_driver.dataset.files import ComputedFiles
from dl_driver.serving.names import Entry, entries
from dl_driver.serving.objects import Objects

_MODIFIED = "2026-01-01T00:00:00.000Z"
_MODIFIED_HTTP = "Thu, 01 Jan 2026 00:00:00 GMT"
_PAGE_LIMIT = 5000
_XML = '<?xml version="1.0" encoding="UTF-8"?>'
_GCS_ROOT = "/storage/v1/b/"


class Dialect(Enum):
    """Whose words a request is in, what an answer in them is, and what a missing object is called."""

    S3 = ("application/xml", "NoSuchKey")
    AZURE = ("application/xml", "BlobNotFound")
    GCS_JSON = ("application/json", "notFound")

    def __init__(self, content_type: str, no_such_object: str) -> None:
        self.content_type, self.no_such_object = content_type, no_such_object


def dialect_of(path: str, query: Mapping[str, str], lowered_head: bytes) -> Dialect:
    """GCS's JSON tells itself by its path, Azure by its version header or what is asked; all else is S3, whose words
    GCS's XML interface shares."""
    if path.startswith(_GCS_ROOT):
        return Dialect.GCS_JSON
    if b"\nx-ms-version:" in lowered_head or query.get("comp") == "list" or "sv" in query:
        return Dialect.AZURE
    return Dialect.S3


def listing(
    dialect: Dialect, path: str, query: Mapping[str, str], splits: Sequence[ComputedFiles], objects: Objects
) -> str | None:
    """One page of a listing, where the request asks for one; else None. Raises ValueError for a bad parameter."""
    if dialect is Dialect.GCS_JSON:
        return _gcs_page(path, query, splits, objects) if path.endswith("/o") and path.count("/") == 5 else None
    if dialect is Dialect.AZURE:
        return _azure_page(query, splits, objects) if query.get("comp") == "list" else None
    return _s3_page(path, query, splits, objects) if "list-type" in query else None


def metadata(path: str, size: int) -> str:
    """One object's description in GCS's JSON."""
    bucket, _, name = path.removeprefix(_GCS_ROOT).partition("/o/")
    return json.dumps(_gcs_object(unquote(bucket), unquote(name), size))


def error_document(dialect: Dialect, status: int, code: str, message: str) -> str:
    """The error's text."""
    if dialect is Dialect.GCS_JSON:
        reasons = [{"domain": "global", "reason": code, "message": message}]
        return json.dumps({"error": {"code": status, "message": message, "errors": reasons}})
    return f"{_XML}<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"


def _page(
    splits: Sequence[ComputedFiles], query: Mapping[str, str], token: str, limit: str
) -> tuple[list[Entry], str | None]:
    """A page's entries and, where more follow, the token of the next."""
    count = min(int(query.get(limit) or _PAGE_LIMIT), _PAGE_LIMIT)
    if count < 1:
        raise ValueError(f"{limit} is {query[limit]}, expected 1 or more")
    found = entries(splits, query.get("prefix", ""), query.get("delimiter", ""), query.get(token, ""))
    page = list(islice(found, count + 1))
    if len(page) <= count:
        return page, None
    return page[:count], page[count - 1].next


def _s3_page(path: str, query: Mapping[str, str], splits: Sequence[ComputedFiles], objects: Objects) -> str:
    page, more = _page(splits, query, "continuation-token", "max-keys")
    contents = "".join(
        f"<Contents><Key>{escape(entry.name)}</Key><LastModified>{_MODIFIED}</LastModified>"
        f"<Size>{objects.of(entry.found).size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        if entry.found
        else f"<CommonPrefixes><Prefix>{escape(entry.name)}</Prefix></CommonPrefixes>"
        for entry in page
    )
    token = "" if more is None else f"<NextContinuationToken>{more}</NextContinuationToken>"
    return (
        f'{_XML}<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{escape(unquote(path).strip('/'))}</Name><Prefix>{escape(query.get('prefix', ''))}</Prefix>"
        f"<KeyCount>{len(page)}</KeyCount><MaxKeys>{query.get('max-keys', _PAGE_LIMIT)}</MaxKeys>"
        f"<IsTruncated>{'false' if more is None else 'true'}</IsTruncated>{token}{contents}</ListBucketResult>"
    )


def _azure_page(query: Mapping[str, str], splits: Sequence[ComputedFiles], objects: Objects) -> str:
    page, more = _page(splits, query, "marker", "maxresults")
    blobs = "".join(
        f"<Blob><Name>{escape(entry.name)}</Name><Properties><Last-Modified>{_MODIFIED_HTTP}</Last-Modified>"
        f"<Etag>0x1</Etag><Content-Length>{objects.of(entry.found).size}</Content-Length>"
        f"<Content-Type>application/octet-stream</Content-Type><BlobType>BlockBlob</BlobType></Properties></Blob>"
        if entry.found
        else f"<BlobPrefix><Name>{escape(entry.name)}</Name></BlobPrefix>"
        for entry in page
    )
    return (
        f"{_XML}<EnumerationResults><Prefix>{escape(query.get('prefix', ''))}</Prefix><Blobs>{blobs}</Blobs>"
        f"<NextMarker>{more or ''}</NextMarker></EnumerationResults>"
    )


def _gcs_page(path: str, query: Mapping[str, str], splits: Sequence[ComputedFiles], objects: Objects) -> str:
    page, more = _page(splits, query, "pageToken", "maxResults")
    bucket = unquote(path.removeprefix(_GCS_ROOT).removesuffix("/o"))
    items = [_gcs_object(bucket, entry.name, objects.of(entry.found).size) for entry in page if entry.found]
    answer: dict[str, Any] = {"kind": "storage#objects", "items": items}
    answer["prefixes"] = [entry.name for entry in page if entry.found is None]
    return json.dumps(answer if more is None else {**answer, "nextPageToken": more})


def _gcs_object(bucket: str, name: str, size: int) -> dict[str, str]:
    return {
        "kind": "storage#object",
        "bucket": bucket,
        "name": name,
        "size": str(size),
        "generation": "1",
        "updated": _MODIFIED,
        "timeCreated": _MODIFIED,
        "contentType": "application/octet-stream",
    }
