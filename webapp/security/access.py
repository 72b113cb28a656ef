"""Finds out who sent each request, and refuses what they may not do."""

import logging
from dataclasses import dataclass

from flask import Flask, current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response

from loan_pipeline.settings import Settings
from webapp.security.api_keys import ApiKeys
from webapp.security.caller import Caller, current_caller
from webapp.security.errors import NotAllowed, NotSignedIn
from webapp.security.permissions import (
    RIGHTS_OF_CLIENT,
    AccessPolicy,
    Right,
    access_policy,
    right_needed,
)
from webapp.security.proxy_header import ProxyHeader
from webapp.security.sessions import signed_in_user

logger = logging.getLogger(__name__)

_MODE = "Sec-Fetch-Mode"  # how a browser says that it opens a page, or that a script asks
_EXTENSION = "loan_access"
_DEEDS: dict[Right, str] = {
    "see_model": "see the model page",
    "score_applications": "score applications",
    "look_up_accounts": "look accounts up",
    "read_metrics": "read the metrics",
    "approve_releases": "approve releases",
}
# Where somebody lands who may not look accounts up and opens the first page.
_FIRST_PAGES = ("pages.by_application", "model_page.show")


@dataclass(frozen=True)
class _Access:
    policy: AccessPolicy
    keys: ApiKeys
    proxy: ProxyHeader | None


def init_app(app: Flask, settings: Settings, host: str | None) -> AccessPolicy:
    """Check each request to `app`, which listens on `host`.

    Raises:
        LoanPipelineError: the settings of access cannot be used.
    """
    policy = access_policy(settings, host)
    proxy = ProxyHeader(settings) if policy.sign_in == "proxy" else None
    app.extensions[_EXTENSION] = _Access(policy, ApiKeys(settings.web_api_keys), proxy)
    app.before_request(_admit)
    app.context_processor(_for_templates)
    _log(policy)
    return policy


def current_policy() -> AccessPolicy:
    """The current app's policy."""
    access: _Access = current_app.extensions[_EXTENSION]
    return access.policy


def demand(right: Right) -> None:
    """Go on only where the current caller has the right.

    Raises:
        NotSignedIn: the caller is not known.
        NotAllowed: the caller is known and lacks the right.
    """
    caller = current_caller()
    if right in caller.rights:
        return
    if caller.kind == "anonymous":
        opened = request.method == "GET" and request.headers.get(_MODE, "navigate") == "navigate"
        raise NotSignedIn(_what_to_do(right), _sign_in_url(), page_opened=opened)
    raise NotAllowed(
        f"{caller.name} may not {_DEEDS[right]}. Those who manage the bank's groups can allow it."
    )


def _for_templates() -> dict[str, object]:
    caller = current_caller()
    can_sign_out = caller.kind == "user" and current_policy().sign_in == "openid"
    return {"caller": caller, "may_open": _may_open, "can_sign_out": can_sign_out}


def _admit() -> Response | None:
    g.caller = _identify(current_app.extensions[_EXTENSION])
    needed = right_needed(request.endpoint)
    if needed is None or needed in g.caller.rights:
        return None
    if request.endpoint == "pages.by_account" and request.method == "GET":
        for endpoint in _FIRST_PAGES:
            if _may_open(endpoint):
                return redirect(url_for(endpoint))
    demand(needed)
    return None


def _identify(access: _Access) -> Caller:
    if name := access.keys.client(request.headers):
        return Caller(RIGHTS_OF_CLIENT, "client", name, name)
    user = None
    if access.proxy:
        user = access.proxy.user(request.headers)
    elif access.policy.sign_in == "openid" and not _of_api():
        user = signed_in_user()
    return user or Caller(access.policy.anonymous_rights(of_api=_of_api()))


def _of_api() -> bool:
    return request.path.startswith("/api/v1/")


def _may_open(endpoint: str) -> bool:
    needed = right_needed(endpoint)
    return needed is None or needed in current_caller().rights


def _sign_in_url() -> str | None:
    if current_policy().sign_in != "openid" or _of_api():
        return None
    back = request.full_path.removesuffix("?") if request.method == "GET" else request.path
    return url_for("sign_in.begin", next=back)


def _what_to_do(right: Right) -> str:
    policy = current_policy()
    if _of_api() or right == "read_metrics":
        if policy.has_api_keys:
            return "Send one of the configured API keys as `Authorization: Bearer KEY`."
        return (
            f"Only clients with an API key may {_DEEDS[right]} here, and there is none yet: the "
            "operator makes one with `loan-pipeline api-key NAME`."
        )
    if policy.sign_in == "openid":
        return "The page needs sign-in, or the session ended: sign in and open it again."
    if policy.sign_in == "proxy":
        return "The proxy in front named no user: sign in there."
    return (
        f"To {_DEEDS[right]} on a public address needs sign-in, and none is set up: the operator "
        "sets LOAN_WEB_OIDC_ISSUER or LOAN_WEB_USER_HEADER. The application form needs no account."
    )


def _log(policy: AccessPolicy) -> None:
    if policy.sign_in:
        logger.info("users sign in by %s", policy.sign_in)
    elif not policy.public:
        logger.info("only this machine reaches the app: every page is open, without sign-in")
    elif policy.open_accounts:
        logger.warning(
            "public address without sign-in, and LOAN_WEB_OPEN_ACCOUNTS=true: everybody who "
            "reaches it may look accounts up"
        )
    else:
        logger.warning(
            "public address without sign-in: only the application form and the model page are "
            "served. Set up sign-in (LOAN_WEB_OIDC_ISSUER or LOAN_WEB_USER_HEADER) to look "
            "accounts up, or LOAN_WEB_OPEN_ACCOUNTS=true to open them to everybody"
        )
