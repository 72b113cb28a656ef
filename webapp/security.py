"""What keeps others out: headers, the secret key, API keys, limits, cookies."""

import hmac
import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from flask import Flask, Request, abort, current_app, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_wtf.csrf import CSRFProtect

from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SECRET_KEY_FILE = "web-secret-key"  # noqa: S105 - a file's name
_SHORTEST_KEY = 16
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_UNLESS_GIVEN = (
    ("Content-Security-Policy", _CONTENT_SECURITY_POLICY),
    ("Cache-Control", "no-store"),
)
_OF_PAGES = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    # Not "no-referrer": over HTTPS the CSRF check compares the referrer with the host.
    ("Referrer-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
# Data is never shown as a page; a client reads every header of every answer.
_OF_DATA = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_API = "/api/v1/"
_STRICT_TRANSPORT = [("Strict-Transport-Security", "max-age=31536000")]
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

csrf = CSRFProtect()


class SecretKeyError(LoanPipelineError):
    """The key that signs sessions cannot be had."""


class _Sessions(SecureCookieSessionInterface):
    """Cookies are for pages, and for HTTPS alone wherever the request came by HTTPS."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The visitor's session; the API has none, and need not look for one."""
        if request.path.startswith(_API):
            return self.session_class()
        return super().open_session(app, request)

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 - Flask's signature
        return request.is_secure


def init_app(app: Flask, settings: Settings) -> None:
    """Protect `app`."""
    app.secret_key = secret_key(settings)
    app.session_interface = _Sessions()
    csrf.init_app(app)
    app.before_request(_demand_token)


def secret_key(settings: Settings) -> str:
    """The configured key, or one that is made once and kept in LOAN_HOME for all workers.

    Raises:
        SecretKeyError: the configured key is too short, or none can be kept.
    """
    if settings.web_secret_key is not None and settings.web_secret_key.get_secret_value():
        key = settings.web_secret_key.get_secret_value()
        if len(key) < _SHORTEST_KEY:
            raise SecretKeyError(
                f"LOAN_WEB_SECRET_KEY must have {_SHORTEST_KEY} characters or more: take the "
                "output of `openssl rand -hex 32`"
            )
        return key
    path = settings.home / _SECRET_KEY_FILE
    try:
        return _kept_key(path)
    except OSError as error:
        raise SecretKeyError(
            f"{path} cannot be kept ({error.strerror}): set LOAN_WEB_SECRET_KEY, or make LOAN_HOME "
            "writable"
        ) from error


def _kept_key(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        arriving = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
        with os.fdopen(os.open(arriving, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        try:
            # A link, unlike a rename, leaves the key of a faster worker in place.
            os.link(arriving, path)
        except FileExistsError:
            pass
        finally:
            arriving.unlink()
    return path.read_text()


def demand_api_key(settings: Settings) -> None:
    """Refuse a request without one of the configured API keys, if there are any."""
    if not holds_api_key(settings, request.environ):
        abort(401, "send one of the configured API keys as `Authorization: Bearer KEY`")


def holds_api_key(settings: Settings, environ: "WSGIEnvironment") -> bool:
    """Whether a request has one of the configured API keys, or needs none."""
    if not settings.web_api_keys:
        return True
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    sent = token if scheme.lower() == "bearer" else environ.get("HTTP_X_API_KEY", "")
    matches = [
        hmac.compare_digest(sent.encode(), key.get_secret_value().encode())
        for key in settings.web_api_keys
    ]
    return any(matches)


def _demand_token() -> None:
    """Refuse forms that other sites sent. The API takes no forms and knows no sessions."""
    from_page = request.method == "POST" and not request.path.startswith(_API)
    if from_page and current_app.config["WTF_CSRF_ENABLED"]:
        csrf.protect()


class ProtectiveHeaders:
    """Adds the headers that protect to every answer, around the app: cheaper than inside it."""

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Let the app answer, and add the headers."""
        secure = _STRICT_TRANSPORT if environ["wsgi.url_scheme"] == "https" else []
        is_data = environ["PATH_INFO"].startswith(_API)

        def start(
            status: str, headers: list[tuple[str, str]], error: _ExcInfo | None = None
        ) -> Callable[[bytes], object]:
            if is_data:
                return start_response(status, [*headers, *_OF_DATA, *secure], error)
            given = {name for name, _ in headers}
            missing = [header for header in _UNLESS_GIVEN if header[0] not in given]
            return start_response(status, [*headers, *missing, *_OF_PAGES, *secure], error)

        return self._app(environ, start)
