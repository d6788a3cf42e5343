# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Google Cloud Storage's errors mean for a user, and what to do about them: XML for reads, JSON for the rest."""

import re

from dl_driver.errors import NotFoundError
from dl_driver.storage.engines.http_service import Judgement, Verdict
from dl_driver.storage.redaction import redacted

_CODE = re.compile(r"<Code>\s*([A-Za-z0-9]+)\s*</Code>|\"reason\"\s*:\s*\"([A-Za-z0-9]+)\"")
_MESSAGE = re.compile(r"(?:<Message>\s*|\"message\"\s*:\s*\")([^<\"\n]{1,300})")
_NO_BUCKET = re.compile(r"bucket does not exist|NoSuchBucket|bucket not found", re.IGNORECASE)

_WHO = (
    "check GOOGLE_APPLICATION_CREDENTIALS or run gcloud auth application-default login; for HMAC keys"
    " storage.storage_options.access_key_id and secret_access_key"
)
_ROLE = (
    "no permission: give this identity the role Storage Object User (storage.objects.get, list, create, delete) on the"
    " bucket, or use another"
)
_TOKEN = f"the token has expired or is not valid: get a new one (GOOGLE_BEARER_TOKEN), or {_WHO}"
_CLOCK = "this machine's clock and the server's differ by too much: set the clock (see timedatectl)"
_BUCKET = "there is no such bucket: create it, or check dataset.data_folder and storage.storage_options.endpoint_url"
_OBJECT = "there is no such object; generate the data set, or check dataset.data_folder and its counts"
_ADVICE = {
    "AccessDenied": _ROLE,
    "forbidden": _ROLE,
    "insufficientPermissions": _ROLE,
    "AuthenticationRequired": _TOKEN,
    "authError": _TOKEN,
    "InvalidAuthentication": _TOKEN,
    "ExpiredToken": _TOKEN,
    "required": f"the server wants to know who asks: {_WHO}",
    "InvalidSecurity": f"the server does not know the access key: {_WHO}",
    "InvalidAccessKeyId": f"the server does not know the access key: {_WHO}",
    "SignatureDoesNotMatch": f"the secret does not belong to the access key: {_WHO}",
    "RequestTimeTooSkewed": _CLOCK,
    "RequestExpired": _CLOCK,
    "NoSuchBucket": _BUCKET,
    "NoSuchKey": _OBJECT,
    "notFound": _OBJECT,
    "UserProjectMissing": "the bucket bills its users: this client names no project; use another bucket",
    "InvalidBucketName": "a bucket's name has 3 to 63 lower-case letters, digits, hyphens, dots: check"
    " dataset.data_folder",
    "BadDigest": "the bytes that reached the server are not those that were sent; try again, and check the network",
}
_BY_STATUS = {401: "AuthenticationRequired", 403: "AccessDenied", 404: "NoSuchKey"}
_SLOW = ("SlowDown", "rateLimitExceeded", "userRateLimitExceeded", "ServiceUnavailable")
_PASSING = ("InternalError", "backendError", "internalError")


def code_of(text: str) -> str | None:
    """The error code in a server's answer or in a client's error that quotes it."""
    if _NO_BUCKET.search(text):
        return "NoSuchBucket"
    found = _CODE.search(text)
    return found and (found[1] or found[2])


def advice(status: int | None, text: str) -> str:
    """The reason and the way out."""
    code = code_of(text) or (_BY_STATUS.get(status) if status else None)
    if code in _ADVICE:
        return f"{_ADVICE[code]} ({code})"
    message = _MESSAGE.search(text)
    said = redacted(message[1].strip()) if message else ""
    if code:
        return f"{code}{': ' if said else ''}{said}"
    return f"status {status}" if status else " ".join(redacted(text).split())[:500]


def judge(status: int, body: bytes) -> Verdict:
    """See Service."""
    text = body[:8192].decode("utf-8", "replace")
    code, why = code_of(text), advice(status, text)
    if status in (301, 302, 303, 307, 308):
        return Verdict(Judgement.HAND_OVER, why)
    if status in (429, 503) or code in _SLOW:
        return Verdict(Judgement.SLOW_DOWN, f"the server is overloaded ({code or status})")
    if status in (408, 425) or status >= 500 or code in _PASSING:
        return Verdict(Judgement.RETRY, f"the server failed ({code or status})")
    if status == 404 and code != "NoSuchBucket":
        return Verdict(Judgement.FAIL, why, NotFoundError)
    return Verdict(Judgement.FAIL, why)
