"""The bank's eight tables: columns, types, keys, references, code domains and ranges.

DDL, casts, checks and docs are made from these. Names and kinds are those of the public CTU MariaDB
copy (database `financial`); sizes are wider, so that the contract's shape is not the data set's.
Money has two decimals, in CZK where LOAN_CURRENCY names no other currency.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

Kind = Literal["integer", "decimal", "date", "text"]

EARLIEST_DATE = date(1900, 1, 1)
LATEST_DATE = date(2199, 12, 31)


@dataclass(frozen=True)
class Column:
    """One column of a raw table.

    Attributes:
        kind: the type's family; `precision` and `scale` go with "decimal", `length` with "text".
        nullable: whether the column may be empty.
        codes: the only values allowed, where the column is a code; empty for free values.
        minimum: smallest allowed value (numbers), inclusive.
        maximum: largest allowed value (numbers), inclusive.
        meaning: one line for people.
    """

    name: str
    kind: Kind
    meaning: str
    nullable: bool = False
    precision: int = 0
    scale: int = 0
    length: int = 0
    codes: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class ForeignKey:
    """`column` holds values of `table`'s primary key."""

    column: str
    table: str


@dataclass(frozen=True)
class Table:
    """One raw table. `newest_by` names the column of dates that shows how fresh the rows are."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    newest_by: str | None = None

    @property
    def primary_key(self) -> str:
        """The key is always the first column."""
        return self.columns[0].name

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in the order of the contract."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column called `name`; KeyError where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name}")


def _key(name: str, meaning: str) -> Column:
    return Column(name, "integer", meaning, minimum=0)


def _count(name: str, meaning: str, *, nullable: bool = False) -> Column:
    return Column(name, "integer", meaning, nullable=nullable, minimum=0)


def _money(name: str, meaning: str, *, minimum: float | None = None) -> Column:
    """An amount with two decimals: up to 13 digits before the point suit any bank and currency."""
    return Column(name, "decimal", meaning, precision=15, scale=2, minimum=minimum)


# Names of places and banks: the public copy's are short, other banks' need not be.
_NAME = 100

FREQUENCIES = ("POPLATEK MESICNE", "POPLATEK TYDNE", "POPLATEK PO OBRATU")
TRANSACTION_TYPES = ("PRIJEM", "VYDAJ", "VYBER")
OPERATIONS = ("VKLAD", "PREVOD Z UCTU", "VYBER", "PREVOD NA UCET", "VYBER KARTOU")
TRANSACTION_SYMBOLS = (
    "UROK",
    "SANKC. UROK",
    "SLUZBY",
    "SIPO",
    "DUCHOD",
    "POJISTNE",
    "UVER",
    " ",
)
ORDER_SYMBOLS = ("SIPO", "UVER", "POJISTNE", "LEASING", " ")
CARD_TYPES = ("junior", "classic", "gold")
LOAN_STATUSES = ("A", "B", "C", "D")

DISTRICT = Table(
    "district",
    "demography of the bank's districts",
    (
        _key("district_id", "district"),
        Column("A2", "text", "name", length=_NAME),
        Column("A3", "text", "region", length=_NAME),
        _count("A4", "inhabitants"),
        _count("A5", "municipalities with fewer than 500 inhabitants"),
        _count("A6", "municipalities with 500 to 1,999 inhabitants"),
        _count("A7", "municipalities with 2,000 to 9,999 inhabitants"),
        _count("A8", "municipalities with more than 10,000 inhabitants"),
        _count("A9", "cities"),
        Column("A10", "decimal", "urban share, %", precision=4, scale=1, minimum=0, maximum=100),
        _count("A11", "average salary, CZK a month"),
        Column(
            "A12",
            "decimal",
            "unemployment 1995, %",
            nullable=True,
            precision=4,
            scale=1,
            minimum=0,
            maximum=100,
        ),
        Column(
            "A13", "decimal", "unemployment 1996, %", precision=5, scale=2, minimum=0, maximum=100
        ),
        _count("A14", "entrepreneurs per 1,000 inhabitants"),
        _count("A15", "crimes committed 1995", nullable=True),
        _count("A16", "crimes committed 1996"),
    ),
)

CLIENT = Table(
    "client",
    "people who may use accounts",
    (
        _key("client_id", "client"),
        Column("gender", "text", "M or F", length=1, codes=("M", "F")),
        Column("birth_date", "date", "date of birth"),
        _key("district_id", "where the client lives"),
    ),
    (ForeignKey("district_id", "district"),),
)

ACCOUNT = Table(
    "account",
    "current accounts",
    (
        _key("account_id", "account"),
        _key("district_id", "the branch's district"),
        Column(
            "frequency", "text", "how often statements are issued", length=18, codes=FREQUENCIES
        ),
        Column("date", "date", "when the account was opened"),
    ),
    (ForeignKey("district_id", "district"),),
    newest_by="date",
)

DISP = Table(
    "disp",
    "dispositions: which client may use which account",
    (
        _key("disp_id", "disposition"),
        _key("client_id", "client"),
        _key("account_id", "account"),
        Column("type", "text", "the right to use it", length=9, codes=("OWNER", "DISPONENT")),
    ),
    (ForeignKey("client_id", "client"), ForeignKey("account_id", "account")),
)

CARD = Table(
    "card",
    "credit cards",
    (
        _key("card_id", "card"),
        _key("disp_id", "disposition the card belongs to"),
        Column("type", "text", "level of the card", length=7, codes=CARD_TYPES),
        Column("issued", "date", "date of issue"),
    ),
    (ForeignKey("disp_id", "disp"),),
    newest_by="issued",
)

LOAN = Table(
    "loan",
    "loans granted",
    (
        _key("loan_id", "loan"),
        _key("account_id", "account"),
        Column("date", "date", "when the loan was granted"),
        Column("amount", "integer", "amount lent, CZK", minimum=1),
        Column("duration", "integer", "duration, months", minimum=1, maximum=600),
        _money("payments", "monthly payment, CZK", minimum=0.01),
        Column(
            "status",
            "text",
            "A finished and paid, B finished and not paid, C running and in order, "
            "D running and in debt",
            length=1,
            codes=LOAN_STATUSES,
        ),
    ),
    (ForeignKey("account_id", "account"),),
    newest_by="date",
)

ORDER = Table(
    "order",
    "permanent orders",
    (
        _key("order_id", "permanent order"),
        _key("account_id", "account that pays"),
        Column("bank_to", "text", "recipient's bank", length=_NAME),
        Column("account_to", "integer", "recipient's account", minimum=0),
        _money("amount", "CZK", minimum=0),
        Column("k_symbol", "text", "what it pays", length=8, codes=ORDER_SYMBOLS),
    ),
    (ForeignKey("account_id", "account"),),
)

TRANS = Table(
    "trans",
    "transactions of the accounts",
    (
        _key("trans_id", "transaction"),
        _key("account_id", "account"),
        Column("date", "date", "when it was booked"),
        Column("type", "text", "credit, debit or cash debit", length=6, codes=TRANSACTION_TYPES),
        Column("operation", "text", "how", nullable=True, length=40, codes=OPERATIONS),
        _money("amount", "CZK", minimum=0),
        _money("balance", "balance afterwards, CZK"),
        Column("k_symbol", "text", "what for", nullable=True, length=40, codes=TRANSACTION_SYMBOLS),
        Column("bank", "text", "the other side's bank", nullable=True, length=_NAME),
        Column("account", "integer", "the other side's account", nullable=True, minimum=0),
    ),
    (ForeignKey("account_id", "account"),),
    newest_by="date",
)

# Parents before children: this order satisfies every foreign key while filling.
TABLES: tuple[Table, ...] = (DISTRICT, CLIENT, ACCOUNT, DISP, CARD, LOAN, ORDER, TRANS)
TABLES_BY_NAME = {table.name: table for table in TABLES}
