"""The JSON API: predictions, batches, its OpenAPI description."""
