"""The prediction log: one row per answer of the web app, for the history page and drift reports.

A SQLite file in LOAN_HOME. `inputs` is what the caller sent: the account's number and the loan's
terms, or the application's fields; what was looked up by account stays in the bundle.
"""

PREDICTION_LOG_FILE = "predictions.sqlite"

CREATE_PREDICTION_LOG = """
CREATE TABLE IF NOT EXISTS predictions (
    id INTEGER PRIMARY KEY,
    answered_at TEXT NOT NULL,          -- UTC, ISO 8601
    request_id TEXT NOT NULL,
    source TEXT NOT NULL,               -- form, api or batch
    visitor TEXT,                       -- a random number kept in the browser's session
    feature_set TEXT NOT NULL,
    model_version TEXT NOT NULL,
    account_id INTEGER,                 -- null for applications
    inputs TEXT NOT NULL,               -- JSON object, by field
    probability_paid_off REAL NOT NULL,
    prediction TEXT NOT NULL            -- paid_off or not_paid_off
);
CREATE INDEX IF NOT EXISTS predictions_by_visitor ON predictions (visitor, id)
    WHERE visitor IS NOT NULL;
"""
