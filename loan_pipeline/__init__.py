"""Learns from a bank's own database which loans will be paid off."""
