"""Signing in by the bank's OpenID provider, and out."""

import logging

from flask import (
    Blueprint,
    Flask,
    current_app,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue

from loan_pipeline.settings import Settings
from webapp.security.errors import SignInRefused
from webapp.security.openid import OpenIdProvider
from webapp.security.permissions import roles_of
from webapp.security.sessions import end_session, start_session

logger = logging.getLogger(__name__)

sign_in = Blueprint("sign_in", __name__, url_prefix="/sign-in")

_PROVIDER = "loan_openid_provider"
_NEXT = "next"


def init_app(app: Flask, settings: Settings) -> None:
    """Let users of `app` sign in.

    Raises:
        AccessError: the provider's settings cannot be used.
    """
    app.extensions[_PROVIDER] = OpenIdProvider(app, settings), settings
    app.register_blueprint(sign_in)


@sign_in.get("")
def begin() -> ResponseReturnValue:
    """Send the browser to the provider."""
    session[_NEXT] = local_address(request.args.get("next", ""))
    provider, _ = _configured()
    return provider.redirect(url_for("sign_in.callback", _external=True))


@sign_in.get("/callback")
def callback() -> ResponseReturnValue:
    """Where the provider sends the browser back to."""
    provider, settings = _configured()
    user = provider.user()
    roles = roles_of(user.groups, settings)
    fields = {"caller": f"user:{user.name}", "subject": user.subject, "roles": sorted(roles)}
    if not roles:
        logger.warning("sign-in refused: no group has a role", extra={"fields": fields})
        raise SignInRefused(
            f"{user.name} is in no group that may use this app. Those who manage the bank's groups "
            "can change that."
        )
    goes_to = local_address(session.get(_NEXT, ""))
    start_session(user.subject, user.name, roles, settings.web_session_hours)
    logger.info("signed in", extra={"fields": fields})
    return redirect(goes_to)


@sign_in.post("/end")
def end() -> ResponseReturnValue:
    """End the session here, and the provider's where it offers that."""
    end_session()
    provider, _ = _configured()
    url = provider.sign_out_url(url_for("sign_in.ended", _external=True))
    return render_template("signed_out.html", provider_url=url)


@sign_in.get("/ended")
def ended() -> ResponseReturnValue:
    """Where the provider sends the browser back to after its session has ended."""
    return render_template("signed_out.html", provider_url=None)


def local_address(text: str) -> str:
    """`text` where it is a path of this app, otherwise the first page's.

    Browsers leave out control characters and read a backslash as a slash.
    """
    local = text.startswith("/") and not text.startswith("//")
    if not local or "\\" in text or any(ord(sign) <= ord(" ") for sign in text):
        return "/"
    return text


def _configured() -> tuple[OpenIdProvider, Settings]:
    found: tuple[OpenIdProvider, Settings] = current_app.extensions[_PROVIDER]
    return found
