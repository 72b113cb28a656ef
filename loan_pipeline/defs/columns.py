"""The columns of the feature tables as the UI shows them: type, range, meaning, and lineage."""

import dagster as dg

from loan_pipeline.contracts.currency import in_currency
from loan_pipeline.contracts.features import FEATURES, FEATURES_BY_NAME, Feature
from loan_pipeline.contracts.tables import LOAN, TABLES_BY_NAME
from loan_pipeline.defs.raw import raw_key
from loan_pipeline.features.lineage import Inputs, column_inputs

_ACCOUNT = ("account_id", "as_of_date", *(f.name for f in FEATURES if f.origin == "account"))
_LOAN = ("loan_id", "account_id", "date", "status", *(f.name for f in FEATURES))
COLUMNS = {"loan_features": _LOAN, "account_features": _ACCOUNT}


def feature_columns(table: str) -> dg.TableSchema:
    """The schema of a feature table, from the contracts."""
    return dg.TableSchema(columns=[_column(name) for name in COLUMNS[table]])


def traced_columns(table: str) -> dg.TableSchema:
    """The same, each description with the raw columns behind it, which takes a moment to find."""
    inputs = column_inputs(table)
    return dg.TableSchema(columns=[_traced(_column(name), inputs[name]) for name in COLUMNS[table]])


def columns_in_currency(schema: dg.TableSchema, currency: str) -> dg.TableSchema:
    """The schema with its descriptions and constraints in the bank's own currency."""
    return dg.TableSchema(columns=[_in_currency(column, currency) for column in schema.columns])


def column_lineage(table: str) -> dg.TableColumnLineage:
    """From which columns of the raw tables each column of a feature table is computed."""
    return dg.TableColumnLineage(
        deps_by_column={
            name: [
                dg.TableColumnDep(raw_key(TABLES_BY_NAME[raw]), column)
                for raw, column in sorted(inputs)
            ]
            for name, inputs in column_inputs(table).items()
            if inputs
        }
    )


def _column(name: str) -> dg.TableColumn:
    return _feature(FEATURES_BY_NAME[name]) if name in FEATURES_BY_NAME else _key(name)


def _traced(column: dg.TableColumn, inputs: Inputs) -> dg.TableColumn:
    if not inputs:
        return column
    names = ", ".join(f"{table}.{name}" for table, name in sorted(inputs))
    text = f"{column.description} Computed from {names}."
    return dg.TableColumn(column.name, column.type, text, column.constraints)


def _in_currency(column: dg.TableColumn, currency: str) -> dg.TableColumn:
    rules = column.constraints
    return dg.TableColumn(
        column.name,
        column.type,
        in_currency(column.description or "", currency),
        dg.TableColumnConstraints(
            rules.nullable, rules.unique, [in_currency(text, currency) for text in rules.other]
        ),
    )


def _feature(feature: Feature) -> dg.TableColumn:
    if feature.codes:
        allowed = f"one of {', '.join(feature.codes)}"
    else:
        allowed = f"{feature.minimum:,} to {feature.maximum:,} {feature.unit}"
    null = f" Null: {feature.null_means}." if feature.null_means else ""
    return dg.TableColumn(
        feature.name,
        feature.type,
        f"{feature.label.capitalize()}. {feature.definition}{null}",
        dg.TableColumnConstraints(nullable=feature.null_means is not None, other=[allowed]),
    )


def _key(name: str) -> dg.TableColumn:
    """A column that names a row: a raw one under its own name, or the as-of date."""
    never_null = dg.TableColumnConstraints(nullable=False)
    if name == "as_of_date":
        text = "The features know what happened strictly before this day."
        return dg.TableColumn(name, "date", text, never_null)
    column = next(column for column in LOAN.columns if column.name == name)
    text = f"{column.meaning[0].upper()}{column.meaning[1:]}."
    return dg.TableColumn(name, column.kind, text, never_null)
