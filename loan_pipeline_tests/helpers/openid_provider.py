"""An OpenID provider on this machine, made of Authlib's server parts; tests may have it forge."""

import base64
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar
from unittest import mock

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.integrations.flask_oauth2.requests import FlaskOAuth2Request
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode
from flask import Flask, redirect, request
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from werkzeug.serving import make_server

CLIENT_ID, CLIENT_SECRET = "loan-check", "a-secret-of-the-client-with-32-bytes-or-more"
GROUPS = {"ann": ["officers"], "vera": ["viewers"], "apollo": ["approvers"], "nora": ["others"]}
Claims = dict[str, Any]


class _Client(ClientMixin):  # type: ignore[misc] # Authlib ships no types
    def __init__(self, provider: "OpenIdProvider") -> None:
        self._provider = provider

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> None:
        return None

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == f"{self._provider.app_url}/sign-in/callback"

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic" and endpoint == "token"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class _Code(AuthorizationCodeMixin):  # type: ignore[misc]
    user: str
    scope: str
    redirect_uri: str
    nonce: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class OpenIdProvider:
    """The provider, and how its next ID tokens are forged.

    Attributes:
        app_url: the one app that it knows.
        change: changes the claims before they are signed.
        key: signs them; another than the published one forges.
        replayed: an ID token that is sent in place of a new one.
        issued: the ID tokens that were sent.
        sessions_ended: how often browsers asked to end their session.
    """

    def __init__(self) -> None:
        self.url = self.app_url = ""
        self.published = RSAKey.generate_key(2048, {"kid": "published"})
        self.issued: list[str] = []
        self.sessions_ended = 0
        self.offers_sign_out = True
        self.be_honest()
        self.app = Flask("openid_provider")
        self._codes: dict[str, _Code] = {}
        self._server = self._authorization_server()
        self.app.add_url_rule("/.well-known/openid-configuration", view_func=self._configuration)
        self.app.add_url_rule("/keys", view_func=self._keys)
        self.app.add_url_rule("/authorize", view_func=self._authorize, methods=["GET", "POST"])
        self.app.add_url_rule("/token", view_func=self._token, methods=["POST"])
        self.app.add_url_rule("/end", view_func=self._end)

    def be_honest(self) -> None:
        """Forge nothing."""
        self.change: Callable[[Claims], Claims] = lambda claims: claims
        self.key: RSAKey | OctKey | None = self.published
        self.algorithm, self.replayed = "RS256", ""

    def _configuration(self) -> Claims:
        found = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            # Some providers offer these two: the app must not take them.
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "code_challenge_methods_supported": ["S256"],
        }
        return found | ({"end_session_endpoint": f"{self.url}/end"} if self.offers_sign_out else {})

    def _keys(self) -> Claims:
        return dict(KeySet([self.published]).as_dict(private=False))

    def _authorize(self) -> Any:
        grant = self._server.get_consent_grant()
        assert grant.request.payload.data["code_challenge_method"] == "S256"
        if request.method == "GET":
            buttons = "".join(f"<button name=user value={name}>{name}</button>" for name in GROUPS)
            return f"<title>Provider</title><form method=post>{buttons}</form>"
        if request.form["user"] == "deny":
            back = request.args["redirect_uri"]
            return redirect(f"{back}?error=access_denied&state={request.args['state']}")
        return self._server.create_authorization_response(
            grant_user=request.form["user"], grant=grant
        )

    def _token(self) -> Any:
        try:
            return self._server.create_token_response()
        except OAuth2Error as error:
            return self._server.handle_error_response(FlaskOAuth2Request(request), error)

    def _end(self) -> Any:
        assert request.args["client_id"] == CLIENT_ID
        assert request.args["post_logout_redirect_uri"] == f"{self.app_url}/sign-in/ended"
        self.sessions_ended += 1
        return redirect(request.args["post_logout_redirect_uri"])

    def id_token(self, claims: Claims) -> str:
        """A token as it is sent: with the published key where nothing is forged."""
        if self.replayed:
            return self.replayed
        header = {"alg": self.algorithm, "kid": "published"}
        claims = self.change(dict(claims))
        if self.algorithm == "none":
            return f"{_base64(header)}.{_base64(claims)}."
        assert self.key is not None
        return jwt.encode(header, claims, self.key, [self.algorithm])

    def _authorization_server(self) -> AuthorizationServer:
        provider, codes = self, self._codes

        class Grant(AuthorizationCodeGrant):  # type: ignore[misc]
            TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = ["client_secret_basic"]

            def save_authorization_code(self, code: str, sent: Any) -> None:
                data = sent.payload.data
                codes[code] = _Code(
                    sent.user,
                    sent.payload.scope,
                    data["redirect_uri"],
                    data["nonce"],
                    data["code_challenge"],
                    data["code_challenge_method"],
                )

            def query_authorization_code(self, code: str, _client: _Client) -> _Code | None:
                return codes.get(code)

            def delete_authorization_code(self, authorization_code: _Code) -> None:
                for code in [code for code, kept in codes.items() if kept is authorization_code]:
                    del codes[code]

            def authenticate_user(self, authorization_code: _Code) -> str:
                return authorization_code.user

        class IdTokens(OpenIDCode):  # type: ignore[misc]
            def exists_nonce(self, nonce: str, _request: Any) -> bool:
                return any(code.nonce == nonce for code in codes.values())

            def encode_id_token(self, _token: Claims, sent: Any) -> str:
                claims = {
                    "iss": provider.url,
                    "aud": CLIENT_ID,
                    "sub": f"subject-of-{sent.user}",
                    "preferred_username": sent.user,
                    "groups": GROUPS[sent.user],
                    "nonce": sent.authorization_code.get_nonce(),
                    "iat": int(time.time()),
                    "exp": int(time.time()) + 300,
                }
                provider.issued.append(provider.id_token(claims))
                return provider.issued[-1]

        client = _Client(self)
        server = AuthorizationServer(
            self.app,
            query_client=lambda client_id: client if client_id == CLIENT_ID else None,
            save_token=lambda _token, _sent: None,
        )
        server.register_grant(Grant, [IdTokens(require_nonce=True), CodeChallenge(required=True)])
        return server


def _base64(part: Claims) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def other_key() -> RSAKey:
    """A key that the provider does not publish, under the id of the one that it does."""
    return RSAKey.generate_key(2048, {"kid": "published"})


@contextmanager
def openid_provider() -> Iterator[OpenIdProvider]:
    """The provider, served on a free port."""
    provider = OpenIdProvider()
    with mock.patch.dict(os.environ, AUTHLIB_INSECURE_TRANSPORT="1"):
        server = make_server("127.0.0.1", 0, provider.app, threaded=True)
        provider.url = f"http://127.0.0.1:{server.port}"
        thread = threading.Thread(target=server.serve_forever, name="openid-provider")
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
