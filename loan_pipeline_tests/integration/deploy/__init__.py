"""Tests of `deploy/` with real parts."""
