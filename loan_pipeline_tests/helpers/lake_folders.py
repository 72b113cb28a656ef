"""The folders of the lake by who writes them.

Held against what the pipeline and the app write, and against what the roles on AWS may write.
"""

BY_RUNS = frozenset(
    {
        "assets", "audit", "candidates", "features", "holdout_predictions", "monitoring",
        "portfolio", "predictors", "releases", "reports", "snapshots",
    }
)  # fmt: skip
BY_APPS = frozenset({"predictions"})
READ_BY_APPS = frozenset({"portfolio", "releases"})
