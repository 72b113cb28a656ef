"""API keys: made once, stored hashed, revoked by removing their entry."""

import hashlib
import hmac
from unittest import mock

import pytest
from click.testing import CliRunner
from pydantic import SecretStr
from werkzeug.datastructures import Headers

from loan_pipeline.cli import main
from webapp.security.api_keys import ApiKeyError, ApiKeys, new_api_key


def keys(*entries: str) -> ApiKeys:
    return ApiKeys([SecretStr(entry) for entry in entries])


def bearer(key: str) -> Headers:
    return Headers({"Authorization": f"Bearer {key}"})


def test_a_key_names_its_client_and_its_entry_holds_only_the_hash() -> None:
    key, entry = new_api_key("nightly-batch")
    assert entry == f"nightly-batch:{hashlib.sha256(key.encode()).hexdigest()}"
    assert len(key) > 43, "256 random bits"
    assert new_api_key("nightly-batch")[0] != key
    known = keys(new_api_key("other")[1], entry)
    assert known.client(bearer(key)) == "nightly-batch"
    assert known.client(Headers({"X-API-Key": key})) == "nightly-batch"
    assert known.client(Headers({"Authorization": f"bearer  {key} "})) == "nightly-batch"


def test_a_stored_entry_is_no_key() -> None:
    _, entry = new_api_key("client")
    for leaked in (entry, entry.partition(":")[2]):
        assert keys(entry).client(bearer(leaked)) is None


def test_a_key_whose_entry_is_removed_is_revoked() -> None:
    (first, entry_1), (second, entry_2) = new_api_key("first"), new_api_key("second")
    assert keys(entry_1, entry_2).client(bearer(first)) == "first"
    assert keys(entry_2).client(bearer(first)) is None
    assert keys(entry_2).client(bearer(second)) == "second"
    assert keys().client(bearer(second)) is None


@pytest.mark.parametrize("sent", ["", "wrong", "nöthing", "x" * 10_000])
def test_what_is_no_key_names_nobody(sent: str) -> None:
    assert keys(new_api_key("client")[1]).client(bearer(sent)) is None


def test_every_key_is_compared_in_constant_time_whichever_matches() -> None:
    made = [new_api_key(f"client-{number}") for number in range(3)]
    known = keys(*(entry for _, entry in made))
    with mock.patch("webapp.security.api_keys.hmac.compare_digest", wraps=hmac.compare_digest) as c:
        for key, _ in made:
            known.client(bearer(key))
            assert c.call_count == 3
            c.reset_mock()


@pytest.mark.parametrize("entry", ["an-old-plain-key", "name:abc", "na me:" + "0" * 64, ":" * 3])
def test_an_entry_written_otherwise_is_refused_and_not_shown(entry: str) -> None:
    with pytest.raises(ApiKeyError, match=r"entry 2 .*loan-pipeline api-key") as refused:
        keys(new_api_key("client")[1], entry)
    assert entry not in str(refused.value)


def test_the_command_prints_a_key_and_its_entry() -> None:
    answer = CliRunner().invoke(main, ["api-key", "nightly"])
    assert answer.exit_code == 0
    key, entry = (line.strip() for line in answer.output.splitlines() if line.startswith("  "))
    assert keys(entry).client(bearer(key)) == "nightly"


def test_the_command_refuses_a_name_that_entries_cannot_hold() -> None:
    answer = CliRunner().invoke(main, ["api-key", "a,b"])
    assert answer.exit_code == 1
    assert "cannot name a client" in answer.output
