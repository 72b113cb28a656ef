"""The seven smaller tables in the contract's columns; `trans` is in `transactions`."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loan_pipeline.contracts.tables import (
    ACCOUNT,
    CARD,
    CARD_TYPES,
    CLIENT,
    DISP,
    DISTRICT,
    FREQUENCIES,
    LOAN,
    LOAN_STATUSES,
    ORDER,
    ORDER_SYMBOLS,
)
from loan_pipeline.sources.sample.chunk import Chunk
from loan_pipeline.sources.sample.columns import batch, codes, dates, decimals, integers
from loan_pipeline.sources.sample.districts import COUNT, Districts
from loan_pipeline.sources.sample.products import BANKS


def district_batch(districts: Districts) -> pa.RecordBatch:
    """The district table; keys 1 to 77."""
    known = ~np.isnan(districts.unemployment_1995)
    jobless = np.where(known, districts.unemployment_1995, 0)
    columns = {
        "district_id": integers(np.arange(1, COUNT + 1)),
        "A2": pa.array(districts.name),
        "A3": pa.array(districts.region),
        "A4": integers(districts.inhabitants),
        **{f"A{5 + i}": integers(districts.municipalities[:, i]) for i in range(4)},
        "A9": integers(districts.cities),
        "A10": decimals(
            np.rint(districts.urban_percent * 10).astype(np.int64), DISTRICT.column("A10")
        ),
        "A11": integers(districts.salary),
        "A12": pc.if_else(
            pa.array(known),
            decimals(np.rint(jobless * 10).astype(np.int64), DISTRICT.column("A12")),
            None,
        ),
        "A13": decimals(
            np.rint(districts.unemployment_1996 * 100).astype(np.int64), DISTRICT.column("A13")
        ),
        "A14": integers(districts.entrepreneurs),
        "A15": integers(districts.crimes_1995, districts.crimes_1995 < 0),
        "A16": integers(districts.crimes_1996),
    }
    return batch(DISTRICT, columns)


def client_batch(chunk: Chunk) -> pa.RecordBatch:
    """Owners, and second clients: of about the owner's age and of the other sex."""
    homes, account, owner = chunk.homes, chunk.client_account, chunk.client_is_owner
    # Derived from the owner by fixed arithmetic, so that no random draw is needed for a column.
    years_apart = (chunk.client_ids * 2_654_435_761 % 3_650) - 1_825
    # Born by then, everybody is of age before the first account is opened.
    latest_birth = np.datetime64("1974-12-31", "D")
    birth = homes.owner_birth[account]
    partner = np.minimum(birth + years_apart.astype("timedelta64[D]"), latest_birth)
    female = np.where(owner, homes.owner_female[account], ~homes.owner_female[account])
    columns = {
        "client_id": integers(chunk.client_ids),
        "gender": codes(female.astype(np.int64), ("M", "F")),
        "birth_date": dates(np.where(owner, birth, partner)),
        "district_id": integers(homes.owner_district[account] + 1),
    }
    return batch(CLIENT, columns)


def account_batch(chunk: Chunk) -> pa.RecordBatch:
    """The accounts."""
    columns = {
        "account_id": integers(chunk.account_ids),
        "district_id": integers(chunk.homes.district + 1),
        "frequency": codes(chunk.homes.frequency, FREQUENCIES),
        "date": dates(chunk.homes.opened),
    }
    return batch(ACCOUNT, columns)


def disp_batch(chunk: Chunk) -> pa.RecordBatch:
    """The dispositions."""
    columns = {
        "disp_id": integers(chunk.disp_ids),
        "client_id": integers(chunk.client_ids),
        "account_id": integers(chunk.account_ids[chunk.client_account]),
        "type": codes((~chunk.client_is_owner).astype(np.int64), ("OWNER", "DISPONENT")),
    }
    return batch(DISP, columns)


def card_batch(chunk: Chunk) -> pa.RecordBatch:
    """The cards, each on its owner's disposition."""
    owner_disp = chunk.disp_ids[chunk.client_is_owner]
    columns = {
        "card_id": integers(chunk.card_ids),
        "disp_id": integers(owner_disp[chunk.cards.account]),
        "type": codes(chunk.cards.level, CARD_TYPES),
        "issued": dates(chunk.cards.issued),
    }
    return batch(CARD, columns)


def loan_batch(chunk: Chunk) -> pa.RecordBatch:
    """The loans, by date."""
    loans = chunk.loans
    columns = {
        "loan_id": integers(chunk.loan_ids),
        "account_id": integers(chunk.account_ids[loans.account]),
        "date": dates(loans.date),
        "amount": integers(loans.duration * loans.payments),
        "duration": integers(loans.duration),
        "payments": decimals(loans.payments * 100, LOAN.column("payments")),
        "status": codes(loans.status, LOAN_STATUSES),
    }
    return batch(LOAN, columns)


def order_batch(chunk: Chunk) -> pa.RecordBatch:
    """The permanent orders."""
    orders = chunk.orders
    columns = {
        "order_id": integers(chunk.order_ids),
        "account_id": integers(chunk.account_ids[orders.account]),
        "bank_to": codes(orders.bank, BANKS),
        "account_to": integers(orders.account_to),
        "amount": decimals(orders.amount // 10 * 10, ORDER.column("amount")),
        "k_symbol": codes(orders.kind, ORDER_SYMBOLS),
    }
    return batch(ORDER, columns)


BATCHES: dict[str, Callable[[Chunk], pa.RecordBatch]] = {
    "client": client_batch,
    "account": account_batch,
    "disp": disp_batch,
    "card": card_batch,
    "loan": loan_batch,
    "order": order_batch,
}
