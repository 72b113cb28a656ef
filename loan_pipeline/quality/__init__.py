"""Rules that tables, snapshots and feature tables must keep before anything is built on them."""
