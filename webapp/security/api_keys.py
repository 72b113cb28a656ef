"""API keys: where some are configured, the API answers only requests that carry one."""

import hmac

from flask import abort, request

from loan_pipeline.settings import Settings


def require_api_key(settings: Settings) -> None:
    """Refuse the current request with 401 unless it has a configured key, or none is needed."""
    if not settings.web_api_keys:
        return
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    sent = token if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")
    # All are compared, so that the time taken does not depend on which one matches.
    matches = [
        hmac.compare_digest(sent.encode(), key.get_secret_value().encode())
        for key in settings.web_api_keys
    ]
    if not any(matches):
        abort(401, "send one of the configured API keys as `Authorization: Bearer KEY`")
