"""Account features and loan features, as Ibis expressions: what was known before an as-of date.

The expressions read and write nothing; `engine.py` opens a snapshot's tables on DuckDB or Spark.
"""

from loan_pipeline.features.builder import account_features, loan_features, serving_features

__all__ = ["account_features", "loan_features", "serving_features"]
