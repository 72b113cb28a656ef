"""Alerts arrive at a real mail server and a real webhook."""

import logging
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from loan_pipeline.alerts.alert import Alert, digest
from loan_pipeline.alerts.send import AlertNotSent, send
from loan_pipeline_tests.helpers.alert_receivers import Mailbox, mailbox, webhook

pytestmark = pytest.mark.slow

MESSAGE = digest([Alert("run failed", "retraining", "The step «snapshot» failed.")])


@pytest.fixture
def mail() -> Iterator[tuple[Mailbox, str]]:
    with mailbox() as opened:
        yield opened


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
