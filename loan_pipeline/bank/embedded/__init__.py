"""The bank in one DuckDB file."""
