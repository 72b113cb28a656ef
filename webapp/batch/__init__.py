"""Batches as text: CSV files and JSON lines, read into requests and written with their answers."""
