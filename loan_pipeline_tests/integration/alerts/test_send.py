"""Alerts arrive at a real mail server and a real webhook."""

import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr

from loan_pipeline.alerts.alert import Alert, digest
from loan_pipeline.alerts.send import AlertNotSent, send

MESSAGE = digest([Alert("run failed", "retraining", "The step «snapshot» failed.")])


class Mailbox:
    """What an SMTP server took."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        assert isinstance(envelope.content, bytes)
        self.messages.append(envelope.content.decode())
        return "250 OK"


@pytest.fixture
def mail() -> Iterator[tuple[Mailbox, str]]:
    """A mailbox, and its address as apprise writes it."""
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield (
        box,
        f"mailto://127.0.0.1:{port}/?from=loans@bank.example&to=risk@bank.example&mode=insecure",
    )
    controller.stop()


@contextmanager
def webhook(status: int = 200) -> Iterator[tuple[list[dict[str, Any]], str]]:
    """What was posted to a webhook, and its address."""
    posted: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield posted, f"json://127.0.0.1:{server.server_port}/hook?secret=open-sesame"
    server.shutdown()
    server.server_close()


def test_a_digest_arrives_by_mail_and_at_a_webhook(mail: tuple[Mailbox, str]) -> None:
    box, address = mail
    with webhook() as (posted, url):
        send(MESSAGE, [SecretStr(address), SecretStr(url)])
    (letter,) = box.messages
    assert "Subject: Loan pipeline: run failed" in letter
    assert "risk@bank.example" in letter
    assert posted[0]["title"] == "Loan pipeline: run failed"
    assert "The step «snapshot» failed." in posted[0]["message"]


def test_an_address_that_fails_is_reported_without_its_secret_and_the_others_get_the_message(
    mail: tuple[Mailbox, str], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    box, address = mail
    caplog.set_level(logging.DEBUG)
    with webhook(status=500) as (_, url), pytest.raises(AlertNotSent) as failure:
        send(MESSAGE, [SecretStr(url), SecretStr("nonsense://x"), SecretStr(address)])
    assert len(box.messages) == 1
    assert "number 1 (did not take it) and number 2 (is no address)" in str(failure.value)
    written = str(failure.value) + "".join(capfd.readouterr())
    written += "".join(r.getMessage() for r in caplog.records if r.name.startswith("loan_pipeline"))
    assert "open-sesame" not in written
    assert "open-sesame" not in "".join(
        r.getMessage() for r in caplog.records if r.name.startswith("apprise")
    )
