"""Every setting, validated. Entry points build them once with `load_settings` and hand them on.

Secrets have no defaults. What a setting means for a package is that package's business.
"""

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from dotenv import load_dotenv
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_CHECKOUT = Path(__file__).parents[1]
ENV_FILE = "LOAN_ENV_FILE"


def base_folder() -> Path:
    """The checkout that this software runs from, or the current folder where it is installed."""
    return _CHECKOUT if (_CHECKOUT / ".env.example").is_file() else Path.cwd()


def load_settings() -> "Settings":
    """The settings from the environment and from `.env` beside `.env.example`.

    Variables of the environment win, an empty one counting as unset. The file's other variables
    (AWS's own, say) become part of the environment too. `LOAN_ENV_FILE` names another file, or with
    an empty value none.

    Raises:
        pydantic.ValidationError: a setting cannot be used.
    """
    name = os.environ.get(ENV_FILE, ".env")
    if name:
        load_dotenv(base_folder() / name, override=False)
    return Settings()


class Settings(BaseSettings):
    """The pipeline's and the web app's settings; `.env.example` has a line for each.

    Attributes:
        home: where the embedded bank, the default lake, models and Dagster's state live; a relative
            folder is one of the checkout's.
        database_url: `mysql+pymysql://user:password@host/database`; the embedded bank without it.
        lake_url: `file:///folder` or `s3://bucket/prefix`; a folder in `home` without it.
        allow_pickles: train, release and serve recipes without an ONNX form.
        currency: the ISO code that labels and messages give amounts in.
        bank_managed: False where the bank is the system of record, which we never write.
    """

    model_config = SettingsConfigDict(
        env_prefix="LOAN_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    home: Path = Path("var")
    database_url: SecretStr | None = None
    lake_url: str = ""
    bank_managed: bool = True
    currency: str = Field(default="CZK", pattern=r"^[A-Z]{3}$")

    rds_instance: str | None = None
    export_role_arn: str | None = None
    export_kms_key: str | None = None
    bastion: str | None = None
    spark_master: str | None = None  # features are computed with DuckDB without it

    keep_snapshots: int = Field(default=5, ge=1)
    keep_db_snapshots: int = Field(default=1, ge=0)
    keep_releases: int = Field(default=5, ge=1)
    keep_predictors: int = Field(default=3, ge=1)
    rolling_cuts: int = Field(default=5, ge=0)
    minimum_roc_auc: float = Field(default=0.6, ge=0.5, le=1)
    allow_pickles: bool = False
    release_approval: Literal["automatic", "manual"] = "automatic"
    loss_given_default: float = Field(default=0.45, ge=0, le=1)
    excluded_features: Annotated[tuple[str, ...], NoDecode] = ()  # of training and whatever follows

    schedules: Literal["on", "off"] = "off"
    time_zone: str = "Europe/Prague"
    retraining_cron: str = "0 5 * * 1"
    monitoring_cron: str = "30 6 * * *"
    fresh_days: float = Field(default=8, ge=0.001)  # how old snapshot and release may be
    alert_urls: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    dagster_url: str = ""
    # MLflow's own variable, without our prefix; it may hold a password.
    mlflow_tracking_uri: SecretStr | None = Field(
        default=None, validation_alias="mlflow_tracking_uri"
    )
    web_url: str = "http://127.0.0.1:8000"

    web_secret_key: SecretStr | None = None
    web_api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    web_oidc_issuer: str | None = None
    web_oidc_client_id: str | None = None
    web_oidc_client_secret: SecretStr | None = None
    web_oidc_groups_claim: str = "groups"
    web_user_header: str | None = None
    web_groups_header: str | None = None
    web_officer_groups: Annotated[tuple[str, ...], NoDecode] = ()
    web_viewer_groups: Annotated[tuple[str, ...], NoDecode] = ()
    web_approver_groups: Annotated[tuple[str, ...], NoDecode] = ()
    web_session_hours: float = Field(default=8, gt=0)
    web_open_accounts: bool = False
    web_rate_limit: str = ""
    web_recording: Literal["required", "optional"] = "required"
    web_shipping: Literal["background", "before_answer"] = "background"
    web_drain_seconds: float = Field(default=5, ge=0)
    web_proxies: int = Field(default=0, ge=0)
    web_log_days: int = Field(default=365, ge=1)
    web_release_check_seconds: float = Field(default=30, gt=0)

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return (base_folder() / home.expanduser()).resolve()

    @field_validator(
        "alert_urls",
        "excluded_features",
        "web_api_keys",
        "web_officer_groups",
        "web_viewer_groups",
        "web_approver_groups",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("lake_url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        if url and not url.startswith(("file://", "s3://")):
            raise ValueError("LOAN_LAKE_URL must start with file:// or s3://")
        if url.startswith("s3://") and "@" in url:
            raise ValueError("LOAN_LAKE_URL takes no login: AWS's own variables hold the keys")
        return url.rstrip("/")

    @cached_property
    def lake(self) -> str:
        """The lake's URL, with the default filled in."""
        return self.lake_url or (self.home / "lake").as_uri()

    @property
    def embedded_bank_path(self) -> Path:
        """The DuckDB file of the embedded bank."""
        return self.home / "bank.duckdb"

    @property
    def models_path(self) -> Path:
        """Where predictors are trained, and cached when they come from the lake."""
        return self.home / "models"
