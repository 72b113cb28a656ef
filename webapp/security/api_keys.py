"""API keys: each client has its own; only their hashes are configured.

Keys are 256 random bits, so that a plain SHA-256 hides them.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable

from pydantic import SecretStr
from werkzeug.datastructures import Headers

from loan_pipeline.errors import LoanPipelineError

_NAME = r"[A-Za-z0-9._-]{1,64}"
_ENTRY = re.compile(rf"({_NAME}):([0-9a-f]{{64}})")


class ApiKeyError(LoanPipelineError):
    """An API key, or the name of its client, that cannot be used."""


def new_api_key(client: str) -> tuple[str, str]:
    """A new key, and its entry for LOAN_WEB_API_KEYS.

    Raises:
        ApiKeyError: the client's name has other characters than letters, digits, `.`, `_`, `-`.
    """
    if not re.fullmatch(_NAME, client):
        raise ApiKeyError(
            f"{client!r} cannot name a client: take 1 to 64 letters, digits, points, underscores "
            "or hyphens"
        )
    key = f"loan_{secrets.token_urlsafe(32)}"
    return key, f"{client}:{_hash(key)}"


class ApiKeys:
    """The clients' hashed keys.

    Args:
        entries: `name:sha256`, as `new_api_key` makes them; a client may have two while its key
            is being changed.

    Raises:
        ApiKeyError: an entry is written otherwise.
    """

    def __init__(self, entries: Iterable[SecretStr]) -> None:
        self._clients: list[tuple[str, str]] = []
        for number, entry in enumerate(entries, start=1):
            match = _ENTRY.fullmatch(entry.get_secret_value())
            if match is None:
                raise ApiKeyError(
                    f"entry {number} of LOAN_WEB_API_KEYS is not NAME:SHA256. Keys are "
                    "stored hashed: make one with `loan-pipeline api-key NAME` and store the entry "
                    "that it prints"
                )
            self._clients.append((match[1], match[2]))

    def client(self, headers: Headers) -> str | None:
        """The name of the client whose key these headers carry; None where there is none."""
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        sent = token.strip() if scheme.lower() == "bearer" else headers.get("X-API-Key", "")
        if not (sent and self._clients):
            return None
        hashed = _hash(sent)
        # All are compared, so that the time taken does not depend on which one matches.
        matching = [name for name, known in self._clients if hmac.compare_digest(hashed, known)]
        return matching[0] if matching else None


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
