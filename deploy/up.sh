#!/usr/bin/env bash
# Dagster's UI and daemon, and the web app, until Ctrl-C stops all of them.
#
# Job control gives each its own process group: a shell without it starts background commands with
# SIGINT ignored, and Dagster, which takes SIGTERM for SIGINT, would then never stop.
set -euo pipefail -m
cd "$(dirname "$0")/.."
root="$PWD"

DAGSTER_PORT="${DAGSTER_PORT:-3000}"
export WEB_PORT="${WEB_PORT:-8000}"
DAGSTER_HOME="$(.venv/bin/loan-pipeline dagster-home)"
export DAGSTER_HOME

# Where this script itself was started with SIGINT ignored, it has to be taken up again.
heeding=(env --default-signal=INT)
"${heeding[@]}" true 2>/dev/null || heeding=(env)

pids=()
stop() {
  trap - EXIT INT TERM
  for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  for _ in $(seq 100); do
    jobs -r -p | grep -q . || return 0
    sleep 0.2
  done
  for pid in "${pids[@]}"; do kill -KILL -- "-$pid" 2>/dev/null || true; done
}
trap stop EXIT
trap 'stop; exit 0' INT TERM

# Not started here: Dagster would put the .env of its own folder above the environment, where for
# everything else the environment wins.
(cd "$DAGSTER_HOME" && exec "${heeding[@]}" PYTHONWARNINGS=ignore "$root/.venv/bin/dagster" dev -w "$root/workspace.yaml" \
  -h 127.0.0.1 -p "$DAGSTER_PORT") &
pids+=($!)
# There is no proxy that must hear of the stop first.
LOAN_WEB_DRAIN_SECONDS=0 .venv/bin/loan-pipeline serve &
pids+=($!)

echo "Dagster:  http://127.0.0.1:$DAGSTER_PORT"
echo "Web app:  http://127.0.0.1:$WEB_PORT"
echo "Ctrl-C stops both."
# Either one ending ends the other: half a service would look like a whole one.
wait -n
