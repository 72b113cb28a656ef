"""What is recorded: predictions, requests, metrics."""
