"""Which bank is in use: MariaDB at `LOAN_DATABASE_URL`, else the embedded file."""

import logging

from loan_pipeline.bank.embedded.database import EmbeddedBank
from loan_pipeline.bank.mariadb.address import parse_address
from loan_pipeline.bank.mariadb.database import MariaDBBank
from loan_pipeline.bank.protocol import Bank
from loan_pipeline.settings import Settings

logger = logging.getLogger(__name__)


def open_bank(settings: Settings) -> Bank:
    """The bank that the settings name: MariaDB at `database_url`, else the embedded file."""
    if settings.database_url is None:
        return EmbeddedBank(settings.embedded_bank_path, managed=settings.bank_managed)

    address = parse_address(settings.database_url.get_secret_value(), bastion=settings.bastion)
    if not address.is_private:
        logger.warning(
            "The connection to %s is not verified: add ?ssl_ca=FILE to LOAN_DATABASE_URL "
            "(or ?ssl=true for the system's authorities).",
            address.name,
        )
    return MariaDBBank(address, managed=settings.bank_managed)
