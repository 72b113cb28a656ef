"""Who may do what: roles, rights, and the right that each endpoint needs. No request is read here.

An endpoint that is missing from the table needs the right to look accounts up.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from loan_pipeline.settings import Settings
from webapp.security.errors import AccessError

Role = Literal["viewer", "officer", "approver"]
Right = Literal[
    "see_model", "score_applications", "look_up_accounts", "read_metrics", "approve_releases"
]
Rights = frozenset[Right]
SignIn = Literal["openid", "proxy"]

NO_RIGHTS: Rights = frozenset()
# An approval needs a name, so that no setting gives it to anonymous callers.
_EVERY_ANONYMOUS: Rights = frozenset(get_args(Right)) - {"approve_releases"}
_OF_PUBLIC: Rights = frozenset({"see_model", "score_applications"})
_OF_OFFICER: Rights = frozenset({"see_model", "score_applications", "look_up_accounts"})
RIGHTS_OF_CLIENT: Rights = _OF_OFFICER | {"read_metrics"}
_RIGHTS_OF_ROLE: Mapping[Role, Rights] = {
    "viewer": frozenset({"see_model"}),
    "officer": _OF_OFFICER,
    "approver": frozenset({"see_model", "approve_releases"}),
}

# None: needs no right, because it says nothing about accounts, applicants or models.
NEEDED_BY_ENDPOINT: Mapping[str, Right | None] = {
    "static": None,
    "health.healthz": None,
    "health.readyz": None,
    "health.metrics": "read_metrics",
    "sign_in.begin": None,
    "sign_in.callback": None,
    "sign_in.end": None,
    "sign_in.ended": None,
    "docs.show": None,
    "api.openapi": None,
    # What looks an account up demands that right again, whichever endpoint asked.
    "api.predict": "score_applications",
    "api.predict_batch": "score_applications",
    "batches.upload": "score_applications",
    "batches.results": "score_applications",
    "batches.template_file": "score_applications",
    "pages.by_application": "score_applications",
    "pages.by_account": "look_up_accounts",
    "pages.account": "look_up_accounts",
    "history.show": "look_up_accounts",
    "portfolio.show": "look_up_accounts",
    "letters.show": "score_applications",  # of the caller's own answers alone
    "model_page.show": "see_model",
    "model_page.picture": "see_model",
    "model_page.metrics": "see_model",
}


def right_needed(endpoint: str | None) -> Right | None:
    """The right that an endpoint needs; None where it needs none, or no endpoint matches."""
    return None if endpoint is None else NEEDED_BY_ENDPOINT.get(endpoint, "look_up_accounts")


def rights_of(roles: Iterable[Role]) -> Rights:
    """What these roles may do together."""
    return NO_RIGHTS.union(*(_RIGHTS_OF_ROLE[role] for role in roles))


def roles_of(groups: Iterable[str], settings: Settings) -> frozenset[Role]:
    """The roles that the groups of a user have by the settings."""
    found = set(groups)
    allowed: Mapping[Role, tuple[str, ...]] = {
        "viewer": settings.web_viewer_groups,
        "officer": settings.web_officer_groups,
        "approver": settings.web_approver_groups,
    }
    return frozenset(role for role, names in allowed.items() if found.intersection(names))


@dataclass(frozen=True)
class AccessPolicy:
    """What callers without a name may do.

    Attributes:
        public: others than the users of this machine reach the app.
        sign_in: how people sign in; None where they cannot.
        open_accounts: everybody who reaches the app may look accounts up, by explicit setting.
        has_api_keys: the API asks for a key.
    """

    public: bool
    sign_in: SignIn | None = None
    open_accounts: bool = False
    has_api_keys: bool = False

    @property
    def api_needs_key(self) -> bool:
        """Whether the API answers only clients with a key, or users that a proxy names."""
        return self.has_api_keys or self.sign_in is not None

    def anonymous_rights(self, *, of_api: bool) -> Rights:
        """What a caller may do who is not known, by the API or by the pages."""
        if self.sign_in or (of_api and self.has_api_keys):
            return NO_RIGHTS
        return _EVERY_ANONYMOUS if self.open_accounts or not self.public else _OF_PUBLIC


def access_policy(settings: Settings, host: str | None) -> AccessPolicy:
    """The policy of an app that listens on `host`; None, an unknown address, counts as public.

    Raises:
        AccessError: the settings contradict one another.
    """
    return AccessPolicy(
        public=settings.web_proxies > 0 or host is None or not _is_loopback(host),
        sign_in=_sign_in(settings),
        open_accounts=settings.web_open_accounts,
        has_api_keys=bool(settings.web_api_keys),
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _sign_in(settings: Settings) -> SignIn | None:
    if settings.web_oidc_issuer and settings.web_user_header:
        raise AccessError("LOAN_WEB_OIDC_ISSUER and LOAN_WEB_USER_HEADER are both set: keep one")
    found: SignIn | None = None
    if settings.web_oidc_issuer:
        found = "openid"
    elif settings.web_user_header:
        found = "proxy"
    if found is None:
        return None
    if settings.web_open_accounts:
        raise AccessError(
            "LOAN_WEB_OPEN_ACCOUNTS=true contradicts the sign-in that is set up: leave it out"
        )
    if not (settings.web_viewer_groups or settings.web_officer_groups):
        raise AccessError(
            "sign-in is set up, but no group has a role: set LOAN_WEB_OFFICER_GROUPS or "
            "LOAN_WEB_VIEWER_GROUPS"
        )
    return found
