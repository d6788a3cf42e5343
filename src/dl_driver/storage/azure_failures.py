# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Azure's error codes mean for a user, and what to do about them."""

import re
from dataclasses import replace
from datetime import UTC, datetime

from dl_driver.errors import StorageError
from dl_driver.storage.azure_account import Proof, end_of_token, expiry_of
from dl_driver.storage.failures import BAD_DIGEST, CLOCK, NO_OBJECT, Failures

_CODE = re.compile(r"<Code>\s*([A-Za-z0-9]+)\s*</Code>|x-ms-error-code\W{1,4}([A-Za-z0-9]+)")
_MESSAGE = re.compile(r"<Message>\s*([^<\n]{1,300})")
_LATE = re.compile(r"date header|RequestTimeTooSkewed|not within", re.IGNORECASE)
_SAS_OVER = re.compile(r"not valid in the specified time frame|Signature not valid in", re.IGNORECASE)
_TOKEN_OVER = re.compile(r"token is expired|Lifetime validation failed|IDX10223", re.IGNORECASE)

_KEYS = (
    "check the account and its key (AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or"
    " storage.storage_options.access_key_id and secret_access_key), or the SAS (AZURE_STORAGE_SAS_TOKEN)"
)
_ROLE = (
    "no permission: give this identity the role Storage Blob Data Contributor on the container, or a SAS with the"
    " permissions racwdl, or use the account's key"
)
_NEW_SAS = "get a new one (AZURE_STORAGE_SAS_TOKEN)"
_NEW_TOKEN = "get a new one (AZURE_STORAGE_TOKEN, or az login)"
_NOT_LET_IN = ("AuthenticationFailed", "AuthorizationFailure", "InvalidAuthenticationInfo")
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
    "BlobNotFound": NO_OBJECT,
    "ResourceNotFound": "there is no such account, container or object: check dataset.data_folder and the account's"
    " name",
    "BlobArchived": "the object is archived; bring it back to a hot tier first",
    "Md5Mismatch": BAD_DIGEST,
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


def _special(code: str | None, text: str) -> str | None:
    """One code may be a wrong key, a SAS or a token that is over, or a clock that is wrong."""
    if code not in _NOT_LET_IN:
        return None
    if _SAS_OVER.search(text):
        return f"the SAS has expired, or begins later: {_NEW_SAS}"
    if _TOKEN_OVER.search(text):
        return f"the token has expired: {_NEW_TOKEN}"
    return CLOCK if _LATE.search(text) else None


def failures_of(proof: Proof) -> Failures:
    """The meanings where it is known how requests show who asks: a SAS and most tokens say themselves when they end,
    which not every server does."""

    def special(code: str | None, text: str) -> str | None:
        return _special(code, text) or (_meaning_of(proof) if code in _NOT_LET_IN else None)

    return FAILURES if proof.key is not None else replace(FAILURES, special=special)


def _meaning_of(proof: Proof) -> str | None:
    """Why a SAS or a token was refused."""
    if proof.sas is not None:
        ends = expiry_of(proof.sas)
        if ends is not None and _is_over(ends):
            return f"the SAS has expired (it ended at {ends}): {_NEW_SAS}"
        return f"the server does not accept the SAS: was it copied whole, and is it for this account? {_NEW_SAS}"
    if proof.token is None:
        return None
    try:
        ends = end_of_token(proof.token())
    except StorageError:
        ends = None
    if ends is not None and _is_over(ends):
        return f"the token has expired (it ended at {ends}): {_NEW_TOKEN}"
    return f"the server does not accept the token: is it for https://storage.azure.com and this account? {_NEW_TOKEN}"


def _is_over(ends: str) -> bool:
    """Whether a time in ISO 8601 has passed; False for what is none."""
    try:
        moment = datetime.fromisoformat(ends)
    except ValueError:
        return False
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) < datetime.now(UTC)


FAILURES = Failures(
    code_of, _MESSAGE, _ADVICE, _BY_STATUS, _SLOW, _PASSING, ("BlobNotFound", "ResourceNotFound"), special=_special
)
