#!/usr/bin/env bash
# Checks the CloudFormation templates by checkov's rules; excuses stand in the templates, with reasons.
set -euo pipefail
cd "$(dirname "$0")/.."

checkov=.venv-tools/checkov/bin/checkov
[ -x "$checkov" ] || { echo "checkov is not installed: bash deploy/tools.sh" >&2; exit 1; }
# Nothing is asked of its makers' service.
exec "$checkov" --framework cloudformation serverless --directory deploy/aws --compact \
  --skip-download "$@"
