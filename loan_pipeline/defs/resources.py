"""What assets are handed: bank, lake, feature engine, predictors, release policy.

Built from the settings once, when an entry point builds the definitions; connections are made when
a step asks for them.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
from pydantic import Field, SecretStr

from loan_pipeline.bank.open import open_bank
from loan_pipeline.bank.protocol import Bank
from loan_pipeline.contracts.currency import in_currency
from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.contracts.predictor import PredictorManifest
from loan_pipeline.defs.io_manager import RecordIOManager
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.features.spark import stop_spark
from loan_pipeline.lake.protocol import Store
from loan_pipeline.lake.rds.export import RdsExport
from loan_pipeline.release.registry import follow_in_registry
from loan_pipeline.settings import Settings
from loan_pipeline.training.predictor import TrainedPredictor
from loan_pipeline.training.predictor_store import cached_path, open_predictor


class BankResource(dg.ConfigurableResource[Bank]):
    """The bank's database: MariaDB where the settings name one, else the embedded file."""

    # The settings keep the address: its password must not stand in a resource's configuration,
    # which the UI shows.
    settings: dg.ResourceDependency[Settings]
    managed: bool = Field(
        default=True,
        description="false: the bank is the system of record, which is read and never written.",
    )

    def open(self) -> Bank:
        """Give the bank; connections are made when it is read or filled."""
        return open_bank(self.settings)

    def rds_export(self, db_snapshot: str | None) -> RdsExport | None:
        """The export that RDS makes of the bank; None where it is read directly."""
        if self.settings.rds_instance is None:
            return None
        return RdsExport.from_settings(self.settings, db_snapshot=db_snapshot)


class RdsResource(dg.ConfigurableResource[None]):
    """RDS, with AWS's own variables and files. dagster-aws's takes a second to import."""

    def client(self) -> AbstractContextManager[Any]:
        """Give boto3's client, closed at the end."""
        return closing(boto3.client("rds"))


class FeatureEngineResource(dg.ConfigurableResource[None]):
    """Where features are computed."""

    spark_master: str = Field(
        default="", description="Spark's master, such as local[*]; empty: DuckDB in this process."
    )

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """Stop the Spark session that the run's tables shared."""
        stop_spark()


class PredictorsResource(dg.ConfigurableResource[None]):
    """How predictors are trained, measured and kept: in the lake, with a cache on this machine."""

    lake: LakeResource
    cache: str = Field(description="Folder of this machine where predictors are unpacked.")
    keep: int = Field(default=3, ge=1, description="How many predictors of a feature set stay.")
    excluded_features: list[str] = Field(
        default=[], description="Features that no model may see, as LOAN_EXCLUDED_FEATURES says."
    )
    rolling_cuts: int = Field(
        default=5, ge=0, description="Dates of the report's rolling origin, at most; 0: none."
    )

    def path(self, manifest: PredictorManifest) -> Path:
        """Where a predictor is on this machine, once it was trained here or opened."""
        return cached_path(Path(self.cache), manifest.feature_set, manifest.predictor_id)

    def open(self, manifest: PredictorManifest) -> TrainedPredictor:
        """A predictor, fetched and verified where this machine does not have it."""
        return open_predictor(self.lake.open(), manifest, Path(self.cache))


class ReleasePolicyResource(dg.ConfigurableResource[None]):
    """What a release must satisfy, and how many are kept."""

    minimum_roc_auc: float = Field(
        default=0.6, description="A lower out-of-time ROC AUC is not released."
    )
    keep: int = Field(default=5, ge=1, description="How many releases of a feature set stay.")
    allow_pickles: bool = Field(
        default=False, description="Release and open recipes that have no ONNX form."
    )
    approval: str = Field(
        default="automatic",
        pattern="^(automatic|manual)$",
        description="manual: what passed the gate waits for a person to approve it.",
    )
    web_url: str = Field(default="", description="Address of the web app, for links to its pages.")

    def page(self, name: FeatureSet) -> dg.UrlMetadataValue:
        """The web app's page about the release of a feature set."""
        return dg.MetadataValue.url(f"{self.web_url.rstrip('/')}/model#{name}")


class RegistryResource(dg.ConfigurableResource[None]):
    """The MLflow server that releases are copied to, where there is one."""

    # The settings keep the address, which may hold a password.
    settings: dg.ResourceDependency[Settings]

    def follow(self, store: Store, name: FeatureSet) -> str | None:
        """Show there what the lake holds; see `follow_in_registry`."""
        return follow_in_registry(store, name, self.settings.mlflow_tracking_uri)


class PortfolioResource(dg.ConfigurableResource[None]):
    """How the portfolio is scored."""

    cache: str = Field(description="Folder of this machine where releases are unpacked.")
    loss_given_default: float = Field(
        default=0.45, ge=0, le=1, description="Share of the exposure that a bad loan loses."
    )
    allow_pickles: bool = Field(default=False, description="Open releases that are no graph.")


class CurrencyResource(dg.ConfigurableResource[None]):
    """The currency that this UI names."""

    code: str = Field(default="CZK", description="ISO code, as LOAN_CURRENCY gives it.")

    def label(self, text: str) -> str:
        """A text or a drawing with this currency in place of the contracts'."""
        return in_currency(text, self.code)


class AlertsResource(dg.ConfigurableResource[None]):
    """Where alerts go, and what is stale."""

    # The settings keep the addresses, which are secrets.
    settings: dg.ResourceDependency[Settings]
    dagster_url: str = Field(default="", description="Address of this UI, for links.")
    fresh_days: float = Field(default=8, gt=0, description="How old a snapshot or release may be.")

    @property
    def urls(self) -> Sequence[SecretStr]:
        """The addresses, as apprise writes them."""
        return self.settings.alert_urls


def build_resources(settings: Settings) -> dict[str, Any]:
    """Every resource, by the name that assets ask for."""
    lake = LakeResource(url=settings.lake, keep_snapshots=settings.keep_snapshots)
    return {
        "bank": BankResource(settings=settings, managed=settings.bank_managed),
        "lake": lake,
        "rds": RdsResource(),
        "engine": FeatureEngineResource(spark_master=settings.spark_master or ""),
        "predictors": PredictorsResource(
            lake=lake,
            cache=str(settings.models_path),
            keep=settings.keep_predictors,
            excluded_features=list(settings.excluded_features),
            rolling_cuts=settings.rolling_cuts,
        ),
        "policy": ReleasePolicyResource(
            minimum_roc_auc=settings.minimum_roc_auc,
            keep=settings.keep_releases,
            allow_pickles=settings.allow_pickles,
            approval=settings.release_approval,
            web_url=settings.web_url,
        ),
        "registry": RegistryResource(settings=settings),
        "portfolio": PortfolioResource(
            cache=str(settings.home / "cache"),
            loss_given_default=settings.loss_given_default,
            allow_pickles=settings.allow_pickles,
        ),
        "currency": CurrencyResource(code=settings.currency),
        "alerts": AlertsResource(
            settings=settings, dagster_url=settings.dagster_url, fresh_days=settings.fresh_days
        ),
        "io_manager": RecordIOManager(lake=lake),
    }
