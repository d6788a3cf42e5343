# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What S3's error codes mean for a user, and what to do about them."""

import re

from dl_driver.storage.failures import BAD_DIGEST, CLOCK, NO_OBJECT, Failures

_CODE = re.compile(r"<Code>\s*([A-Za-z0-9.]+)\s*</Code>")
_MESSAGE = re.compile(r"<Message>\s*([^<]{1,300})", re.DOTALL)

_NEW_KEYS = (
    "check storage.storage_options.access_key_id and secret_access_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)
_SET_REGION = "set storage.storage_options.region or AWS_REGION to the bucket's"
_REGION = re.compile(
    r"<Region>\s*([a-z0-9-]+)|expecting '([a-z0-9-]+)'|<Endpoint>[^<]*s3[.-]([a-z]{2}(?:-[a-z]+)+-\d+)\."
)
_WITHOUT_PLACE = "redirect without LOCATION"
"""How the general client quotes an answer that names another region in its body alone."""
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
    "RequestTimeTooSkewed": CLOCK,
    "RequestExpired": CLOCK,
    "NoSuchKey": NO_OBJECT,
    "AuthorizationHeaderMalformed": f"the bucket lies in another region: {_SET_REGION}",
    "PermanentRedirect": f"the bucket lies in another region or at another endpoint: {_SET_REGION}, or"
    " storage.storage_options.endpoint_url",
    "IllegalLocationConstraintException": f"the endpoint is another region's than the bucket: {_SET_REGION}",
    "InvalidObjectState": "the object is archived; restore it first",
    "BadDigest": BAD_DIGEST,
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


def code_of(text: str) -> str | None:
    """The error code in a server's answer or in a client's error that quotes it."""
    found = _CODE.search(text)
    if found is None:
        return "PermanentRedirect" if _WITHOUT_PLACE in text else None
    return found[1]


def _special(code: str | None, text: str) -> str | None:
    """The region that the server says the bucket lies in."""
    if code not in ("AuthorizationHeaderMalformed", "PermanentRedirect"):
        return None
    found = _REGION.search(text)
    region = found and (found[1] or found[2] or found[3])
    return (
        f"the bucket lies in the region {region}: set storage.storage_options.region or AWS_REGION to it"
        if region
        else None
    )


FAILURES = Failures(
    code_of,
    _MESSAGE,
    _ADVICE,
    _BY_STATUS,
    _SLOW,
    _PASSING,
    missing=("NoSuchKey",),
    elsewhere=_ELSEWHERE,
    special=_special,
)
