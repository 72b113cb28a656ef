#!/bin/sh
# Entry point of the pipeline's image: lays out $DAGSTER_HOME, then becomes the command.
set -eu
here=$(dirname "$0")
mkdir -p "$DAGSTER_HOME"
# Dagster talks through psycopg2, which SQLAlchemy takes for PostgreSQL only where the URL says so.
case "${DAGSTER_POSTGRES_URL:-}" in
  postgres://* | postgresql://*)
    export DAGSTER_POSTGRES_URL="postgresql+psycopg2://${DAGSTER_POSTGRES_URL#*://}" ;;
esac
# The services of one task share the folder: put in place whole, whoever comes last.
arriving="$DAGSTER_HOME/dagster.yaml.$$"
cp "$here/dagster.yaml" "$arriving"
if [ -n "${DAGSTER_RUN_TASK_DEFINITION:-}" ]; then
  cat "$here/ecs-run-launcher.yaml" >> "$arriving"
fi
mv -f "$arriving" "$DAGSTER_HOME/dagster.yaml"
exec "$@"
