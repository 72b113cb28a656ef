"""The prediction log: one row for each answer of the web app, written before the answer is sent.

A SQLite file in LOAN_HOME, read by the history page and shipped to the lake for monitoring. Rows
are added, never changed, and removed when they are shipped and older than LOAN_WEB_LOG_DAYS.
"""

PREDICTION_LOG_FILE = "predictions.sqlite"

CREATE_PREDICTION_LOG = """
CREATE TABLE IF NOT EXISTS predictions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- in the order of writing, never used twice
    prediction_id TEXT NOT NULL,          -- 32 random hexadecimal digits, unique among all logs
    answered_at TEXT NOT NULL,            -- UTC, ISO 8601
    milliseconds REAL NOT NULL,           -- from the request's start to this row
    request_id TEXT NOT NULL,             -- shared by the rows of a batch; callers may choose it
    line INTEGER,                         -- of a batch's file; null for a single request
    source TEXT NOT NULL,                 -- form, api or batch
    visitor TEXT,                         -- a random number kept in the browser's session, or one
                                          -- that follows from the caller
    caller TEXT,                          -- user:NAME or client:NAME; null for the anonymous
    feature_set TEXT NOT NULL,
    model_version TEXT NOT NULL,
    account_id INTEGER,                   -- null for applications
    inputs TEXT NOT NULL,                 -- JSON object: what the caller sent, by field
    features TEXT NOT NULL,               -- JSON object: what the model saw, by feature; codes as
                                          -- their numbers, null for a missing value
    probability_paid_off REAL NOT NULL,
    prediction TEXT NOT NULL,             -- paid_off or not_paid_off
    referred INTEGER NOT NULL DEFAULT 0,  -- 1 where the request was referred to a person
    principal_reasons TEXT NOT NULL DEFAULT '[]' -- JSON list: those of a refusal, as answered
);
CREATE INDEX IF NOT EXISTS predictions_by_visitor ON predictions (visitor, id)
    WHERE visitor IS NOT NULL;
CREATE TABLE IF NOT EXISTS shipments (    -- which rows are in which object of the lake
    first_id INTEGER PRIMARY KEY,
    last_id INTEGER NOT NULL,
    key TEXT NOT NULL UNIQUE,
    shipped INTEGER NOT NULL              -- 1 once the object is in the lake
);
"""

# Objects are shipped in the order of their rows: the last one shipped has all before it shipped.
COUNT_UNSHIPPED_ROWS = """
SELECT count(*) FROM predictions
WHERE id > (SELECT coalesce(max(last_id), 0) FROM shipments WHERE shipped)
"""
DELETE_OLD_ROWS = """
DELETE FROM predictions WHERE answered_at < ?
AND id <= (SELECT coalesce(max(last_id), 0) FROM shipments WHERE shipped)
"""

# Columns that logs of an earlier version lack; their rows get an id and the values that were kept.
ADD_MISSING_COLUMNS = {
    "prediction_id": "TEXT NOT NULL DEFAULT ''",
    "milliseconds": "REAL NOT NULL DEFAULT 0",
    "line": "INTEGER",
    "caller": "TEXT",
    "features": "TEXT NOT NULL DEFAULT '{}'",
    "referred": "INTEGER NOT NULL DEFAULT 0",
    "principal_reasons": "TEXT NOT NULL DEFAULT '[]'",
}
IDENTIFY_OLD_ROWS = """
UPDATE predictions SET prediction_id = lower(hex(randomblob(16))) WHERE prediction_id = '';
"""
