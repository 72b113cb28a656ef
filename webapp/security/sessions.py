"""Sessions of the pages: signed cookies, and tokens that keep other sites' forms out."""

from flask import Blueprint, Flask, Request, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_wtf.csrf import CSRFProtect

from loan_pipeline.settings import Settings
from webapp.security.secret_key import secret_key

_FORM_VALID_SECONDS = 12 * 3600


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
    CSRFProtect(app).exempt(without)
