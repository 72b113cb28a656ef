"""Sends a digest to every address, through `apprise`. The addresses are secrets."""

import logging
from collections.abc import Sequence

from pydantic import SecretStr

from loan_pipeline.alerts.alert import Digest
from loan_pipeline.errors import LoanPipelineError


class AlertNotSent(LoanPipelineError):
    """An alert did not reach an address; it is sent again."""


def send(digest: Digest, urls: Sequence[SecretStr]) -> None:
    """Send a message to every address.

    Args:
        digest: what to send.
        urls: as apprise writes them: `mailtos://…`, `slack://…`, `json://…` and many more.

    Raises:
        AlertNotSent: an address is none, or did not take the message; the others got it. Addresses
            are named by their place in the setting alone.
    """
    # It takes half a second to import, which definitions need not pay.
    from apprise import Apprise, NotifyFormat

    # Its own messages name addresses, passwords included.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    failed = []
    for number, url in enumerate(urls, start=1):
        target = Apprise()
        known = target.add(url.get_secret_value())
        if not known or not target.notify(
            title=digest.title, body=digest.body, body_format=NotifyFormat.TEXT
        ):
            failed.append(f"number {number} ({'did not take it' if known else 'is no address'})")
    if failed:
        raise AlertNotSent(
            f"of the {len(urls)} addresses in LOAN_ALERT_URLS, {' and '.join(failed)}: correct the "
            "setting, or see that the service is up"
        )
