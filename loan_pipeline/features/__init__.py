"""Account features and loan features, as Ibis expressions: what was known before an as-of date.

Nothing here reads or writes data. Expressions run on the tables' own engine (`engine.py`).
"""

from loan_pipeline.features.builder import account_features, loan_features, serving_features

__all__ = ["account_features", "loan_features", "serving_features"]
