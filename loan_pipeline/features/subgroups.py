"""The subgroups that a loan belongs to, for measuring them apart. Never an input of the model."""

from collections.abc import Mapping

import ibis


def loan_regions(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """The region where the owner of each loan's account lives: loan_id, region."""
    disp = tables["disp"]
    owner = disp.filter(disp.type == "OWNER").select("account_id", "client_id")
    client = tables["client"].select("client_id", "district_id")
    district = tables["district"].select("district_id", region="A3")
    return (
        tables["loan"]
        .select("loan_id", "account_id")
        .join(owner, "account_id")
        .join(client, "client_id")
        .join(district, "district_id")
        .select("loan_id", "region")
    )
