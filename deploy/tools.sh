#!/usr/bin/env bash
# Installs tools that need other versions than the project, each in an environment of its own:
#   .venv-tools/checkov        the templates' security rules
#   .venv-tools/supply-chain   locks, bills of materials, audit
#   .venv-tools/mlflow         the server that tests register releases in
set -euo pipefail
cd "$(dirname "$0")/.."

install() {  # name, then pinned packages
  local folder=.venv-tools/$1 && shift
  if ! grep -qsxF "$*" "$folder/.pins"; then
    echo "Installing $*"
    rm -rf "$folder"
    "${PYTHON:-python3}" -m venv "$folder"
    "$folder/bin/python" -m pip install -q --disable-pip-version-check --no-compile "$@"
    echo "$*" > "$folder/.pins"
  fi
}

install checkov checkov==3.3.30
install supply-chain pip-tools==7.6.2 cyclonedx-bom==7.5.0 pip-audit==2.10.1
install mlflow mlflow==3.17.2
