"""One chunk of the bank before any transaction: households, loans, products, and their keys."""

from dataclasses import dataclass

import numpy as np

from loan_pipeline.sources.sample.arrays import Flags, Integers
from loan_pipeline.sources.sample.districts import Districts
from loan_pipeline.sources.sample.households import Households, make_households
from loan_pipeline.sources.sample.loans import Loans, make_loans
from loan_pipeline.sources.sample.products import (
    Cards,
    Orders,
    make_cards,
    make_orders,
    second_clients,
)
from loan_pipeline.sources.sample.sizes import ChunkSizes, spaced_keys


@dataclass(frozen=True)
class Chunk:
    """Everything of one chunk that stands outside the account books.

    Attributes:
        number: position among the bank's chunks; it decides the keys.
        account_ids: shape (accounts,).
        client_ids, disp_ids: shape (clients,), the owner of each account followed by its second
            client where it has one.
        client_account: position of each client's account, shape (clients,).
        client_is_owner: shape (clients,).
    """

    number: int
    sizes: ChunkSizes
    homes: Households
    loans: Loans
    orders: Orders
    cards: Cards
    account_ids: Integers
    client_ids: Integers
    disp_ids: Integers
    client_account: Integers
    client_is_owner: Flags
    loan_ids: Integers
    order_ids: Integers
    card_ids: Integers


def make_chunk(
    number: int, sizes: ChunkSizes, districts: Districts, rng: np.random.Generator
) -> Chunk:
    """Draw a chunk."""
    homes = make_households(sizes, districts, rng)
    loans = make_loans(sizes, homes, rng)
    orders = make_orders(sizes, homes, loans, rng)
    cards = make_cards(sizes, homes, rng)
    shared = second_clients(sizes, homes, loans, rng)
    client_account = np.repeat(np.arange(len(homes)), 1 + shared)
    is_owner = np.ones(len(client_account), dtype=bool)
    is_owner[1:] = client_account[1:] != client_account[:-1]

    def keys(table: str, count: int) -> Integers:
        return spaced_keys(table, number, count, rng)

    return Chunk(
        number=number,
        sizes=sizes,
        homes=homes,
        loans=loans,
        orders=orders,
        cards=cards,
        account_ids=keys("account", len(homes)),
        client_ids=keys("client", len(client_account)),
        disp_ids=keys("disp", len(client_account)),
        client_account=client_account,
        client_is_owner=is_owner,
        loan_ids=rng.permutation(keys("loan", len(loans))),
        order_ids=keys("order", len(orders)),
        card_ids=keys("card", len(cards)),
    )
