"""The one place for alerts: what is worth one, one digest of many, and sending it."""
