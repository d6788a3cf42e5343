# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Google Cloud Storage's errors mean for a user, and what to do about them: XML for reads, JSON for the rest."""

import re

from dl_driver.storage.failures import BAD_DIGEST, CLOCK, NO_OBJECT, Failures

_CODE = re.compile(r"<Code>\s*([A-Za-z0-9]+)\s*</Code>|\"reason\"\s*:\s*\"([A-Za-z0-9]+)\"")
_MESSAGE = re.compile(r"(?:<Message>\s*|\"message\"\s*:\s*\")([^<\"\n]{1,300})")
# The last is what fake-gcs-server says when it is asked for a list.
_NO_BUCKET = re.compile(
    r"bucket does not exist|(?:^|>\s*)NoSuchBucket|bucket not found|lstat \S+: no such file", re.IGNORECASE
)

_WHO = (
    "check GOOGLE_APPLICATION_CREDENTIALS or run gcloud auth application-default login; for HMAC keys"
    " storage.storage_options.access_key_id and secret_access_key"
)
_ROLE = (
    "no permission: give this identity the role Storage Object User (storage.objects.get, list, create, delete) on the"
    " bucket, or use another"
)
_TOKEN = f"the token has expired or is not valid: get a new one (GOOGLE_BEARER_TOKEN), or {_WHO}"
_BUCKET = "there is no such bucket: create it, or check dataset.data_folder and storage.storage_options.endpoint_url"
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
    "RequestTimeTooSkewed": CLOCK,
    "RequestExpired": CLOCK,
    "NoSuchBucket": _BUCKET,
    "NoSuchKey": NO_OBJECT,
    "notFound": NO_OBJECT,
    "UserProjectMissing": "the bucket bills its users: this client names no project; use another bucket",
    "InvalidBucketName": "a bucket's name has 3 to 63 lower-case letters, digits, hyphens, dots: check"
    " dataset.data_folder",
    "BadDigest": BAD_DIGEST,
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


FAILURES = Failures(code_of, _MESSAGE, _ADVICE, _BY_STATUS, _SLOW, _PASSING, missing=("NoSuchKey", "notFound"))
