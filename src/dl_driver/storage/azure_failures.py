# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Azure's error codes mean for a user, and what to do about them."""

import re

from dl_driver.errors import NotFoundError
from dl_driver.storage.engines.http_service import Judgement, Verdict
from dl_driver.storage.redaction import redacted

_CODE = re.compile(r"<Code>\s*([A-Za-z0-9]+)\s*</Code>|x-ms-error-code\W{1,4}([A-Za-z0-9]+)")
_MESSAGE = re.compile(r"<Message>\s*([^<\n]{1,300})")
_LATE = re.compile(r"date header|RequestTimeTooSkewed|not within", re.IGNORECASE)
_SAS_OVER = re.compile(r"not valid in the specified time frame|Signature not valid in", re.IGNORECASE)
_TOKEN_OVER = re.compile(r"token is expired|Lifetime validation failed|IDX10223", re.IGNORECASE)

_CLOCK = "this machine's clock and the server's differ by too much: set the clock (see timedatectl)"
_KEYS = (
    "check the account and its key (AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or"
    " storage.storage_options.access_key_id and secret_access_key), or the SAS (AZURE_STORAGE_SAS_TOKEN)"
)
_ROLE = (
    "no permission: give this identity the role Storage Blob Data Contributor on the container, or a SAS with the"
    " permissions racwdl, or use the account's key"
)
_ADVICE = {
    "AuthenticationFailed": f"the server does not accept the signature: {_KEYS};"
    " and this machine's clock must be right",
    "AuthorizationFailure": f"the server does not let this request in: {_KEYS};"
    " the account's firewall may refuse it too",
    "InvalidAuthenticationInfo": f"the credentials are not in the form that the server expects: {_KEYS}",
    "NoAuthenticationInformation": f"the server wants to know who asks: {_KEYS}",
    "PublicAccessNotPermitted": f"the account lets nobody in without credentials: {_KEYS}",
    "AuthorizationPermissionMismatch": _ROLE,
    "AuthorizationResourceTypeMismatch": _ROLE,
    "AuthorizationServiceMismatch": _ROLE,
    "InsufficientAccountPermissions": _ROLE,
    "KeyBasedAuthenticationNotPermitted": "the account allows no keys: sign in"
    " (pip install 'dl-driver[azure]'; az login)",
    "AccountIsDisabled": "the account is disabled; use another",
    "ContainerNotFound": "there is no such container in this account: create it, or check dataset.data_folder"
    " (az://account/container/prefix, or az://container/prefix where the environment names the account)",
    "ContainerBeingDeleted": "the container is being deleted; use another, or wait",
    "BlobNotFound": "there is no such object; generate the data set, or check dataset.data_folder and its counts",
    "ResourceNotFound": "there is no such container or object; check dataset.data_folder",
    "BlobArchived": "the object is archived; bring it back to a hot tier first",
    "Md5Mismatch": "the bytes that reached the server are not those that were sent; try again, and check the network",
    "InvalidBlockList": "parts of the upload were lost at the server; write the object again",
    "RequestBodyTooLarge": "the server takes no request of this size",
    "InvalidResourceName": "a container's name has 3 to 63 lower-case letters, digits and hyphens: check"
    " dataset.data_folder",
    "LeaseIdMissing": "somebody holds a lease on the object; release it",
    "InvalidHeaderValue": "the server does not know a header of the request; is its version of the interface old?",
}
_BY_STATUS = {401: "NoAuthenticationInformation", 403: "AuthorizationFailure", 404: "BlobNotFound"}
_SLOW = ("ServerBusy",)
_PASSING = ("InternalError", "OperationTimedOut", "Md5Mismatch")


def code_of(text: str) -> str | None:
    """The error code in a server's answer or in a client's error that quotes it."""
    found = _CODE.search(text)
    return found and (found[1] or found[2])


def advice(status: int | None, text: str) -> str:
    """The reason and the way out."""
    code = code_of(text) or (_BY_STATUS.get(status) if status else None)
    if code in ("AuthenticationFailed", "AuthorizationFailure", "InvalidAuthenticationInfo"):
        if _SAS_OVER.search(text):
            return f"the SAS has expired, or begins later: get a new one (AZURE_STORAGE_SAS_TOKEN) ({code})"
        if _TOKEN_OVER.search(text):
            return f"the token has expired: get a new one (AZURE_STORAGE_TOKEN, or az login) ({code})"
        if _LATE.search(text):
            return f"{_CLOCK} ({code})"
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
    if status == 404 and code in (None, "BlobNotFound", "ResourceNotFound"):
        return Verdict(Judgement.FAIL, why, NotFoundError)
    return Verdict(Judgement.FAIL, why)
