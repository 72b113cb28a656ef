#!/bin/sh
# One process in place of three services: the daemon, with the weekly retraining switched on.
set -eu
dagster schedule start weekly_retraining -m loan_pipeline.definitions
exec python "$(dirname "$0")/daemon.py" -m loan_pipeline.definitions
