"""The bank's OpenID provider, through Authlib: authorisation code with PKCE, state and nonce."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import Flask, session
from joserfc.errors import JoseError
from werkzeug.wrappers import Response

from loan_pipeline.settings import Settings
from webapp.security.errors import AccessError, ProviderUnavailable, SignInRefused

_NAME = "openid"
_DISCOVERY = "/.well-known/openid-configuration"
_ALGORITHMS = "id_token_signing_alg_values_supported"
_TIMEOUT_SECONDS = 10
_CLOCK_SKEW_SECONDS = 30
# Keys that the provider publishes: no unsigned token, and none signed by a shared secret.
_SIGNED_BY = {f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)}
_NAME_CLAIMS = ("preferred_username", "email", "sub")


@dataclass(frozen=True)
class OpenIdUser:
    """Whom an ID token names.

    Attributes:
        subject: the provider's own identifier, which never changes.
        name: as people read it.
    """

    subject: str
    name: str
    groups: tuple[str, ...]


class OpenIdProvider:
    """The configured provider, discovered when it is first needed.

    Raises:
        AccessError: a setting is missing, or the issuer is no HTTPS address.
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        if not settings.web_oidc_client_id or settings.web_oidc_client_secret is None:
            raise AccessError(
                "LOAN_WEB_OIDC_ISSUER needs LOAN_WEB_OIDC_CLIENT_ID and "
                "LOAN_WEB_OIDC_CLIENT_SECRET as well"
            )
        self._issuer = settings.web_oidc_issuer or ""
        address = urlsplit(self._issuer)
        if address.scheme != "https" and address.hostname not in ("127.0.0.1", "localhost"):
            raise AccessError("LOAN_WEB_OIDC_ISSUER must be an https address")
        self._client_id = settings.web_oidc_client_id
        self._groups_claim = settings.web_oidc_groups_claim
        self._client = OAuth(app).register(
            _NAME,
            client_id=self._client_id,
            client_secret=settings.web_oidc_client_secret.get_secret_value(),
            server_metadata_url=self._issuer.rstrip("/") + _DISCOVERY,
            client_kwargs={
                "scope": "openid profile email",
                "code_challenge_method": "S256",
                "default_timeout": _TIMEOUT_SECONDS,
            },
        )

    def redirect(self, callback: str) -> Response:
        """Send the browser to the provider, which sends it back to `callback`.

        Raises:
            ProviderUnavailable: it cannot be discovered.
        """
        self._metadata()
        # One attempt at a time: those that were left would fill the cookie.
        for key in [key for key in session if key.startswith(f"_state_{_NAME}_")]:
            session.pop(key)
        response: Response = self._client.authorize_redirect(callback)
        return response

    def user(self) -> OpenIdUser:
        """Whom the provider's answer, which is the current request, names.

        State, PKCE, signature, issuer, audience, expiry and nonce are checked.

        Raises:
            SignInRefused: one of them is wrong, or the provider refused.
            ProviderUnavailable: the code cannot be exchanged.
        """
        self._metadata()
        required = {
            "iss": {"essential": True, "value": self._issuer},
            "aud": {"essential": True, "value": self._client_id},
        }
        try:
            token = self._client.authorize_access_token(
                claims_options=required, leeway=_CLOCK_SKEW_SECONDS
            )
        except requests.RequestException as error:
            raise _unavailable(self._issuer, error) from error
        except (AuthlibBaseError, JoseError, ValueError) as error:
            raise SignInRefused(f"The provider's answer is refused: {error}.") from error
        claims = token.get("userinfo")
        if not claims:
            raise SignInRefused("The provider's answer is refused: it has no ID token.")
        groups = claims.get(self._groups_claim) or ()
        return OpenIdUser(
            subject=str(claims["sub"]),
            name=next(str(claims[name]) for name in _NAME_CLAIMS if claims.get(name)),
            groups=(groups,) if isinstance(groups, str) else tuple(map(str, groups)),
        )

    def sign_out_url(self, back: str) -> str | None:
        """Where the browser ends the session with the provider; None where it offers no such way.

        Args:
            back: where the provider sends the browser afterwards.
        """
        try:
            endpoint = self._metadata().get("end_session_endpoint")
        except ProviderUnavailable:
            return None
        if not endpoint:
            return None
        query = {"client_id": self._client_id, "post_logout_redirect_uri": back}
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"

    def _metadata(self) -> dict[str, Any]:
        try:
            metadata: dict[str, Any] = self._client.load_server_metadata()
        except requests.RequestException as error:
            raise _unavailable(self._issuer, error) from error
        if metadata.get("issuer") != self._issuer:
            raise ProviderUnavailable(
                f"LOAN_WEB_OIDC_ISSUER is {self._issuer}, but the provider there calls itself "
                f"{metadata.get('issuer')}: set it to exactly that"
            )
        offered = metadata.get(_ALGORITHMS) or ["RS256"]
        metadata[_ALGORITHMS] = [name for name in offered if name in _SIGNED_BY]
        return metadata


def _unavailable(issuer: str, error: Exception) -> ProviderUnavailable:
    return ProviderUnavailable(
        f"The sign-in provider {issuer} does not answer ({type(error).__name__}). Try again later."
    )
