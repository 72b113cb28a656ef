"""The headers that protect: on every answer, fewer on the API's, which are never shown as pages."""

from flask import Flask, Response, request

_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_OF_ALL = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_OF_DATA = _OF_ALL | {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}
_OF_PAGES = _OF_ALL | {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "X-Frame-Options": "DENY",
    # Not "no-referrer": over HTTPS the CSRF check compares the referrer with the host.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def init_app(app: Flask) -> None:
    """Add the headers to every answer of `app`, where a view did not set its own."""
    app.after_request(_protect)


def _protect(response: Response) -> Response:
    of_data = request.path.startswith("/api/v1/")
    # Not `setdefault`, which raises and catches an exception for each header that is missing.
    views_own = {name.lower() for name, _ in response.headers}
    for name, value in (_OF_DATA if of_data else _OF_PAGES).items():
        if name.lower() not in views_own:
            response.headers.add(name, value)
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response
