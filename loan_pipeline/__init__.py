"""Learns from a bank's own database which loans will be paid off."""

import os

# ONNX Runtime's wheels report their use to their maker, and keep an id and a database for that in
# the home folder, unless this is set before they are loaded. Who wants it sets 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
