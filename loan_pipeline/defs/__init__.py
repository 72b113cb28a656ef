"""Dagster objects only, thin: each calls plain functions of the packages below."""
