"""The bank database, the sources that fill it, and the contract it must keep.

Nothing here knows of snapshots, features or Dagster.
"""
