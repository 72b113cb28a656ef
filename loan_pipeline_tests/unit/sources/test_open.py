"""How sources are named, and that no message about one repeats a password."""

import traceback

import pytest

from loan_pipeline.bank.errors import BankError, SourceError
from loan_pipeline.bank.mariadb.address import parse_address
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.settings import Settings
from loan_pipeline.sources.open import open_source

SECRET = "S3cretWord"
WITH_SECRET = [
    f"postgresql://bank:{SECRET}@db/financial",
    f"mysql+mysqldb://bank:{SECRET}@db/financial",
    f"https://bank:{SECRET}@db/financial.sql",
    f"https://{SECRET}@db/financial.sql",
    f"mysql://bank:{SECRET}@db/financial",
    f"mysql+pymysql://bank:{SECRET}@db:3306/financial?ssl=true",
    f"mysql://bank:p@{SECRET}/w@db/financial",
    f"mysql://bank:p/{SECRET}@db/financial",
    f"mysql://bank:p#{SECRET}@db/financial",
    f"mysql://bank:p?{SECRET}@db/financial",
    f"mysql://bank:[{SECRET}@db/financial",
    f"mysql://bank:{SECRET}@db:port/financial",
    f"mysql:/bank:{SECRET}@db/financial",
    f"bank:{SECRET}@db/financial",
]


def _everything(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize("spec", WITH_SECRET)
def test_a_source_that_holds_a_password_is_refused_without_repeating_it(spec: str) -> None:
    with pytest.raises(SourceError) as caught:
        open_source(spec)
    assert SECRET not in _everything(caught.value)
    assert "env:" in str(caught.value)


@pytest.mark.parametrize("spec", WITH_SECRET)
def test_a_variable_that_names_no_server_is_refused_without_its_value(
    spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANK_SOURCE", spec)
    shown = _name_or_error("env:BANK_SOURCE")
    assert shown
    assert SECRET not in shown


def _name_or_error(spec: str) -> str:
    try:
        return open_source(spec).name
    except LoanPipelineError as error:
        return _everything(error)


@pytest.mark.parametrize(
    "password", ["p@ss/w", "p/w", "p?w", "p#w"], ids=["at_slash", "slash", "question", "hash"]
)
def test_a_password_that_is_not_encoded_is_explained_not_taken_for_a_host(password: str) -> None:
    with pytest.raises(BankError, match="write @ as %40") as caught:
        parse_address(f"mysql://u:{password}@host/financial")
    assert "ss" not in str(caught.value).replace("password", "").replace("ssl", "")


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BANK_SOURCE", raising=False)
    with pytest.raises(SourceError, match="variable BANK_SOURCE, which is not set"):
        open_source("env:BANK_SOURCE")


def test_a_server_named_by_a_variable_is_reached_through_the_bastion(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BANK_SOURCE", f"mysql://bank:{SECRET}@db/financial")
    source = open_source("env:BANK_SOURCE", bastion="jump@bastion")
    assert source.name == "MariaDB financial at db:3306 through jump@bastion"


def test_a_server_without_a_password_may_be_named_as_it_is() -> None:
    assert open_source("mysql://guest@db/financial").name == "MariaDB financial at db:3306"


def test_settings_never_repeat_a_value() -> None:
    for url in (f"ftp://user:{SECRET}@host", f"s3://key:{SECRET}@bucket/prefix"):
        with pytest.raises(ValueError, match="LOAN_LAKE_URL") as caught:
            Settings(lake_url=url)
        assert SECRET not in _everything(caught.value)
