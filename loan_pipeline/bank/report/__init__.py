"""What the bank holds, by aggregates: computed by the database, shown as one HTML page."""
