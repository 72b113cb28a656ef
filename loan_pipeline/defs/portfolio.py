"""The portfolio: every running loan scored as of the snapshot with the released bundle."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd

from loan_pipeline.contracts.origin import require_same
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.defs.keys import GROUPS, release_key
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.defs.presentation import markdown_table, picture
from loan_pipeline.defs.resources import CurrencyResource, PortfolioResource
from loan_pipeline.features.engine import snapshot_tables
from loan_pipeline.features.subgroups import loan_regions
from loan_pipeline.lake.feature_tables import FeatureTable, read_feature_table
from loan_pipeline.lake.protocol import Store
from loan_pipeline.monitoring.plots import portfolio_bars
from loan_pipeline.monitoring.portfolio import (
    TOTALS,
    running_loans,
    score_portfolio,
    totals,
    watch_list,
)
from loan_pipeline.monitoring.portfolio_store import publish_portfolio, summarise
from loan_pipeline.quality.verdicts import require_table_passed
from loan_pipeline.scoring.release import NoRelease, load_latest

SCORES = dg.AssetKey(["portfolio", "scores"])
_COLUMNS = ["loan_id", "account_id", "date", "amount", "duration", "status"]
_SHOWN = [
    *("loan_id", "status", "region", "months_left", "exposure_czk"),
    *("probability_paid_off", "expected_loss_czk", "reasons"),
]


@dg.asset(
    key=SCORES,
    group_name=GROUPS["portfolio"],
    deps=[release_key("behavioural")],
    kinds={"onnx", "parquet", "store"},
    output_required=False,
)
def portfolio_scores(
    context: dg.AssetExecutionContext,
    snapshot: SnapshotManifest,
    loan_features: FeatureTable,
    account_features: FeatureTable,
    lake: LakeResource,
    portfolio: PortfolioResource,
    currency: CurrencyResource,
) -> Iterator[dg.MaterializeResult[None]]:
    """Running loans with what is left of them, probability, expected loss and reasons.

    Scored is the rest of each loan against its account as of the snapshot. In the lake as Parquet
    and CSV, and on the web app's page; totals by region, duration and vintage, and a watch list.
    """
    store = lake.open()
    for table in (loan_features, account_features):
        require_same(
            "snapshot",
            (table.name, table.snapshot_id),
            ("the latest snapshot", snapshot.snapshot_id),
            f"materialise {table.name} again",
        )
        require_table_passed(store, table)
    try:
        scorer = load_latest(
            store, "behavioural", Path(portfolio.cache), allow_pickles=portfolio.allow_pickles
        )
    except NoRelease:
        context.log.warning("nothing is scored: the first release waits for its approval")
        return
    loans = read_feature_table(store, loan_features, _COLUMNS).merge(
        _regions(store, snapshot), on="loan_id", how="left", validate="one_to_one"
    )
    scored = score_portfolio(
        running_loans(loans, snapshot.as_of),
        read_feature_table(store, account_features),
        scorer,
        portfolio.loss_given_default,
    )
    scored["reasons"] = scored["reasons"].map(currency.label)
    summary = summarise(
        scored,
        snapshot_id=snapshot.snapshot_id,
        as_of=snapshot.as_of,
        model_version=scorer.manifest.version,
        loss_given_default=portfolio.loss_given_default,
    )
    publish_portfolio(store, scored, summary)
    whole = summary.all_loans
    pictures = {
        f"by_{by}": picture(by, currency.label(portfolio_bars(totals(scored, by), by)))
        for by in TOTALS
    }
    tables = {f"{by}_totals": markdown_table(totals(scored, by)) for by in TOTALS}
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": whole.loans,
            "model_version": summary.model_version,
            "as_of": summary.as_of.isoformat(),
            "exposure_czk": whole.exposure_czk,
            "expected_loss_czk": whole.expected_loss_czk,
            "expected_loss_share": whole.expected_loss_share,
            "on_watch_list": whole.on_watch_list,
            **pictures,
            **tables,
            "watch_list": markdown_table(watch_list(scored).head(20)[_SHOWN]),
        }
    )


def _regions(store: Store, snapshot: SnapshotManifest) -> pd.DataFrame:
    with snapshot_tables(store, snapshot) as tables:
        regions: pd.DataFrame = loan_regions(tables).to_pandas()
    return regions


def portfolio() -> dg.Definitions:
    """The asset."""
    return dg.Definitions(assets=[portfolio_scores])
