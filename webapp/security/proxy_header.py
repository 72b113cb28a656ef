"""Users whom a proxy in front signed in: it names them in a header, and their groups in another.

The proxy must remove both headers from what clients send.
"""

from werkzeug.datastructures import Headers

from loan_pipeline.settings import Settings
from webapp.security.caller import Caller
from webapp.security.errors import AccessError
from webapp.security.permissions import rights_of, roles_of


class ProxyHeader:
    """Reads the two headers.

    Raises:
        AccessError: no proxy is configured, or no header for the groups.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.web_proxies:
            raise AccessError(
                "LOAN_WEB_USER_HEADER is believed only behind a proxy: set LOAN_WEB_PROXIES"
            )
        if not settings.web_groups_header:
            raise AccessError(
                "LOAN_WEB_USER_HEADER needs LOAN_WEB_GROUPS_HEADER: roles come from groups"
            )
        self._settings = settings

    def user(self, headers: Headers) -> Caller | None:
        """The user that the proxy named; None where it named none, or more than one."""
        name = headers.get(self._settings.web_user_header or "", "").strip()
        # A header that was sent twice arrives joined by a comma.
        if not name or "," in name:
            return None
        sent = headers.get(self._settings.web_groups_header or "", "").split(",")
        roles = roles_of((group.strip() for group in sent), self._settings)
        return Caller(rights_of(roles), "user", name, name)
