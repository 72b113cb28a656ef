"""Sessions of the pages: signed cookies, who is signed in, tokens against other sites' forms."""

import secrets
import time
from collections.abc import Iterable

from flask import Blueprint, Flask, Request, current_app, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_wtf.csrf import CSRFProtect

from loan_pipeline.settings import Settings
from webapp.security.caller import Caller
from webapp.security.ended_sessions import EndedSessions
from webapp.security.permissions import Role, rights_of
from webapp.security.secret_key import secret_key

_FORM_VALID_SECONDS = 12 * 3600
_USER = "user"
_ENDED = "loan_ended_sessions"


class _Sessions(SecureCookieSessionInterface):
    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """None for the API, which knows no sessions: opening one is a tenth of a request."""
        if request.path.startswith("/api/v1/"):
            return None
        return super().open_session(app, request)

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 - Flask's signature
        """Cookies are for HTTPS alone wherever the request came by HTTPS."""
        return request.is_secure


def init_app(app: Flask, settings: Settings, *, without: Blueprint) -> None:
    """Sign the sessions of `app` and check its forms; `without` takes no forms."""
    app.secret_key = secret_key(settings)
    app.config.update(
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=_FORM_VALID_SECONDS,
    )
    app.session_interface = _Sessions()
    app.extensions[_ENDED] = EndedSessions(settings.home)
    CSRFProtect(app).exempt(without)


def start_session(identity: str, name: str, roles: Iterable[Role], hours: float) -> None:
    """Sign a user in for some hours; nothing of an earlier session is kept."""
    session.clear()
    session[_USER] = {
        "session": secrets.token_hex(16),
        "identity": identity,
        "name": name,
        "roles": sorted(roles),
        "until": int(time.time() + 3600 * hours),
    }


def end_session() -> None:
    """Sign the user out; a copy of the session's cookie is worth nothing afterwards."""
    user = session.get(_USER)
    session.clear()
    if user is not None:
        ended: EndedSessions = current_app.extensions[_ENDED]
        ended.add(user["session"], user["until"])


def signed_in_user() -> Caller | None:
    """The session's user; None where nobody is signed in, or the session has ended."""
    user = session.get(_USER)
    if user is None or user["until"] <= time.time():
        return None
    ended: EndedSessions = current_app.extensions[_ENDED]
    if user["session"] in ended:
        return None
    return Caller(rights_of(user["roles"]), "user", user["identity"], user["name"])
