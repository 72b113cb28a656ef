"""Who sent the current request."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Literal

from flask import current_app, g, session

from webapp.security.permissions import NO_RIGHTS, Rights


@dataclass(frozen=True)
class Caller:
    """A signed-in user, a client with an API key, or neither.

    Attributes:
        identity: what stays the same when a user's name changes; empty for the anonymous.
        name: as people read it.
    """

    rights: Rights
    kind: Literal["anonymous", "user", "client"] = "anonymous"
    identity: str = ""
    name: str = ""

    @property
    def logged_name(self) -> str | None:
        """As logs record it; None for the anonymous."""
        return None if self.kind == "anonymous" else f"{self.kind}:{self.name}"


_UNKNOWN = Caller(NO_RIGHTS)


def current_caller() -> Caller:
    """The current request's caller; without rights before they were identified."""
    caller: Caller = g.get("caller", _UNKNOWN)
    return caller


def visitor() -> str:
    """The number that ties answers to the pages' visitor, for the history.

    A user's follows from their identity, so that two who share a browser have two histories.
    """
    caller = current_caller()
    if caller.kind != "anonymous":
        assert isinstance(current_app.secret_key, str)  # noqa: S101 - `sessions` set it
        key, text = current_app.secret_key, f"visitor:{caller.kind}:{caller.identity}"
        return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()[:16]
    if "visitor" not in session:
        session["visitor"] = secrets.token_hex(8)
    return str(session["visitor"])
