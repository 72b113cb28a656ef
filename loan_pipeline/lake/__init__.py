"""Where snapshots and released models lie, and how a snapshot gets there."""
