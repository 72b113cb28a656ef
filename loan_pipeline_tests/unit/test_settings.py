from pathlib import Path

import pytest
from pydantic import ValidationError

from loan_pipeline.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LOAN_{name.upper()}", raising=False)


def test_without_any_variable_everything_lies_in_one_absolute_folder() -> None:
    settings = Settings()
    assert settings.home.is_absolute()
    assert settings.lake == (settings.home / "lake").as_uri()
    assert settings.embedded_bank_path.parent == settings.home
    assert settings.database_url is None


def test_a_password_never_shows_in_a_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOAN_DATABASE_URL", "mysql+pymysql://me:hunter2@db/financial")
    monkeypatch.setenv("LOAN_WEB_API_KEYS", "first-key, second-key")
    settings = Settings()
    assert "hunter2" not in repr(settings)
    assert "first-key" not in repr(settings)
    assert [key.get_secret_value() for key in settings.web_api_keys] == ["first-key", "second-key"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOAN_LAKE_URL", "gs://bucket"),
        ("LOAN_KEEP_SNAPSHOTS", "0"),
        ("LOAN_MINIMUM_ROC_AUC", "0.4"),
        ("LOAN_BANK_MANAGED", "perhaps"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.removeprefix("LOAN_").lower()):
        Settings()


def test_every_setting_has_its_line_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text()
    variables = [f"LOAN_{name.upper()}" for name in Settings.model_fields]
    variables[variables.index("LOAN_MLFLOW_TRACKING_URI")] = "MLFLOW_TRACKING_URI"
    missing = [name for name in variables if f"\n{name}=" not in example]
    assert not missing
