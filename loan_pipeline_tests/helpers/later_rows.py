"""Banks that differ only in what a loan's date could not know: rows on that day or later."""

from collections.abc import Mapping

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loan_pipeline.contracts.tables import OPERATIONS, TRANSACTION_SYMBOLS, TRANSACTION_TYPES

Tables = Mapping[str, pa.Table]


def open_tables(tables: Tables, threads: int = 2) -> dict[str, ibis.Table]:
    """The tables on a DuckDB connection of their own."""
    connection = ibis.duckdb.connect(threads=threads)
    for name, table in tables.items():
        connection.con.register(name, table)
    return {name: connection.table(name) for name in tables}


def with_other_later_rows(
    tables: Tables, *, seed: int, dropped: float, changed: float, added: int
) -> dict[str, pa.Table]:
    """The same bank with another future.

    Args:
        tables: the bank; its accounts have one loan at most.
        seed: of the random choices.
        dropped: share of the later transactions and cards that are removed.
        changed: share of the later transactions that get other values.
        added: new later transactions, cards and loan orders for each loan.
    """
    random = np.random.default_rng(seed)
    granted = dict(
        zip(*(tables["loan"][c].to_pylist() for c in ("account_id", "date")), strict=True)
    )
    trans = tables["trans"]
    days = _days_after(trans["account_id"], trans["date"], granted)
    later = days >= 0
    gone = later & (random.random(len(days)) < dropped)
    altered = later & ~gone & (random.random(len(days)) < changed)
    kept = _altered(trans, altered, random).filter(pa.array(~gone))
    new = trans.take(pa.array(random.choice(np.flatnonzero(days > -60), added * len(granted))))
    accounts = np.repeat(list(granted), added)
    new = _altered(new, np.ones(len(new), dtype=bool), random)
    new = _put(new, "trans_id", np.arange(len(new)) + 10_000_000)
    new = _put(new, "account_id", accounts)
    # Half of them on the loan's very day, the first that must not be known.
    offsets = random.integers(0, 300, len(new)) * random.integers(0, 2, len(new))
    dates = np.array([granted[a] for a in accounts], dtype="datetime64[D]") + offsets
    new = _put(new, "date", dates)
    return dict(tables) | {
        "trans": pa.concat_tables([kept, new]),
        "card": _other_cards(tables, granted, dropped, added, random),
        "order": _other_loan_orders(tables["order"], granted, added, random),
    }


def _days_after(accounts: pa.ChunkedArray, dates: pa.ChunkedArray, granted: Mapping) -> np.ndarray:
    """Days from the account's loan to the date; far before it for accounts without a loan."""
    loans = np.array(
        [granted.get(a, np.datetime64("2200-01-01")) for a in accounts.to_pylist()],
        dtype="datetime64[D]",
    )
    return (dates.to_numpy().astype("datetime64[D]") - loans).astype(int)


def _put(table: pa.Table, name: str, values: object) -> pa.Table:
    at = table.schema.get_field_index(name)
    field = table.schema.field(at)
    return table.set_column(at, field, _typed(values, field.type))


def _typed(values: object, kind: pa.DataType) -> pa.Array:
    array = pa.array(values)
    if pa.types.is_decimal(kind):
        array = array.cast(pa.float64())  # Arrow casts no int64 to a decimal so short
    return array.cast(kind)


def _altered(trans: pa.Table, chosen: np.ndarray, random: np.random.Generator) -> pa.Table:
    size = len(trans)
    drawn = {
        "amount": random.integers(1, 900_000, size),
        "balance": random.integers(-900_000, 900_000, size),
        "type": random.choice(TRANSACTION_TYPES, size).tolist(),
        "operation": random.choice(OPERATIONS, size).tolist(),
        "k_symbol": random.choice(TRANSACTION_SYMBOLS, size).tolist(),
        "account": random.integers(1, 10**8, size),
    }
    for name, values in drawn.items():
        field = trans.schema.field(name)
        other = pc.if_else(pa.array(chosen), _typed(values, field.type), trans[name])
        trans = trans.set_column(trans.schema.get_field_index(name), field, other)
    return trans


def _other_cards(
    tables: Tables, granted: Mapping, dropped: float, added: int, random: np.random.Generator
) -> pa.Table:
    card, disp = tables["card"], tables["disp"]
    account_of = dict(zip(disp["disp_id"].to_pylist(), disp["account_id"].to_pylist(), strict=True))
    accounts = pa.chunked_array([[account_of[d] for d in card["disp_id"].to_pylist()]])
    later = _days_after(accounts, card["issued"], granted) >= 0
    kept = card.filter(pa.array(~(later & (random.random(len(card)) < dropped))))
    disps = [d for d, a in account_of.items() if a in granted] * min(added, 1)
    issued = [granted[account_of[d]] for d in disps]
    new = {
        "card_id": np.arange(len(disps)) + 10_000_000,
        "disp_id": disps,
        "type": random.choice(["junior", "classic", "gold"], len(disps)).tolist(),
        "issued": np.array(issued, dtype="datetime64[D]") + random.integers(0, 99, len(disps)),
    }
    columns = [_typed(new[field.name], field.type) for field in card.schema]
    return pa.concat_tables([kept, pa.table(columns, schema=card.schema)])


def _other_loan_orders(
    order: pa.Table, granted: Mapping, added: int, random: np.random.Generator
) -> pa.Table:
    """Orders that pay the loan have no date, but are there because of it."""
    kept = order.filter(pc.not_equal(order["k_symbol"], "UVER"))
    accounts = np.repeat(list(granted), added)
    new = {
        "order_id": np.arange(len(accounts)) + 10_000_000,
        "account_id": accounts,
        "bank_to": ["AB"] * len(accounts),
        "account_to": np.arange(len(accounts)),
        "amount": random.integers(1, 90_000, len(accounts)),
        "k_symbol": ["UVER"] * len(accounts),
    }
    columns = [_typed(new[field.name], field.type) for field in order.schema]
    return pa.concat_tables([kept, pa.table(columns, schema=order.schema)])
