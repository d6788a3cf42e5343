# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What S3's error codes mean for a user, and what to do about them."""

import re

from dl_driver.errors import NotFoundError
from dl_driver.storage.engines.http_service import Judgement, Verdict
from dl_driver.storage.redaction import redacted

_CODE = re.compile(r"<Code>\s*([A-Za-z0-9.]+)\s*</Code>")
_MESSAGE = re.compile(r"<Message>\s*([^<]{1,300})", re.DOTALL)

_NEW_KEYS = (
    "check storage.storage_options.access_key_id and secret_access_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)
_ADVICE = {
    "InvalidAccessKeyId": f"the server does not know the access key: {_NEW_KEYS}",
    "SignatureDoesNotMatch": f"the secret key does not belong to the access key: {_NEW_KEYS}",
    "ExpiredToken": "the session token has expired: get new temporary credentials (AWS_SESSION_TOKEN)",
    "TokenRefreshRequired": "the session token has expired: get new temporary credentials (AWS_SESSION_TOKEN)",
    "InvalidToken": "the session token is not valid: get new temporary credentials (AWS_SESSION_TOKEN)",
    "NoSuchBucket": "there is no such bucket at this endpoint: create it, or check dataset.data_folder and"
    " storage.storage_options.endpoint_url",
    "AccessDenied": "no permission: allow these credentials s3:GetObject, s3:PutObject, s3:DeleteObject and"
    " s3:ListBucket on the bucket, or use others",
    "AllAccessDisabled": "the bucket is closed to everybody; use another",
    "RequestTimeTooSkewed": "this machine's clock and the server's differ by too much: set the clock (see timedatectl)",
    "RequestExpired": "this machine's clock and the server's differ by too much: set the clock (see timedatectl)",
    "NoSuchKey": "there is no such object; generate the data set, or check dataset.data_folder and its counts",
    "AuthorizationHeaderMalformed": "the bucket lies in another region: set storage.storage_options.region or"
    " AWS_REGION",
    "InvalidObjectState": "the object is archived; restore it first",
    "BadDigest": "the bytes that reached the server are not those that were sent; try again, and check the network",
    "EntityTooSmall": "a part of the upload is smaller than the server allows",
    "QuotaExceeded": "the quota is used up; free space, or raise it",
    "InsufficientCapacity": "the server has no space left",
}
_BY_STATUS = {403: "AccessDenied", 404: "NoSuchKey"}
_SLOW = (
    "SlowDown",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequests",
)
_PASSING = ("InternalError", "RequestTimeout", "OperationAborted", "IncompleteBody")
_ELSEWHERE = ("PermanentRedirect", "TemporaryRedirect", "Redirect")
_PLAIN_TO_TLS = re.compile(r"plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server", re.IGNORECASE)


def code_of(text: str) -> str | None:
    """The error code in a server's answer or in a client's error that quotes it."""
    found = _CODE.search(text)
    return found[1] if found else None


def advice(status: int | None, text: str) -> str:
    """The reason and the way out."""
    code = code_of(text) or (_BY_STATUS.get(status) if status else None)
    if code in _ADVICE:
        return f"{_ADVICE[code]} ({code})"
    if _PLAIN_TO_TLS.search(text):
        return "the endpoint speaks TLS: write https:// in storage.storage_options.endpoint_url"
    message = _MESSAGE.search(text)
    said = redacted(message[1].strip()) if message else ""
    if code:
        return f"{code}{': ' if said else ''}{said}"
    return f"status {status}" if status else " ".join(text.split())[:500]


def judge(status: int, body: bytes) -> Verdict:
    """See Service."""
    text = body[:8192].decode("utf-8", "replace")
    code, why = code_of(text), advice(status, text)
    if status in (301, 302, 303, 307, 308) or code in _ELSEWHERE:
        return Verdict(Judgement.HAND_OVER, why)
    if status in (429, 503) or code in _SLOW:
        return Verdict(Judgement.SLOW_DOWN, f"the server is overloaded ({code or status})")
    if status in (408, 425) or status >= 500 or code in _PASSING:
        return Verdict(Judgement.RETRY, f"the server failed ({code or status})")
    if status == 404 and code in (None, "NoSuchKey"):
        return Verdict(Judgement.FAIL, why, NotFoundError)
    return Verdict(Judgement.FAIL, why)
