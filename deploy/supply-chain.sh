#!/usr/bin/env bash
# What the images are made of.
#   supply-chain.sh lock     resolve again: deploy/web.lock and deploy/pipeline.lock, with hashes
#   supply-chain.sh sbom     bills of materials (CycloneDX): var/sbom/{web,pipeline}.cdx.json
#   supply-chain.sh audit    known vulnerabilities; asks the vulnerability service over the network
set -euo pipefail
cd "$(dirname "$0")/.."

tools=.venv-tools/supply-chain
images=(web pipeline)
[ -x "$tools/bin/pip-compile" ] || { echo "its tools are not installed: bash deploy/tools.sh" >&2; exit 1; }

lock() {  # image, then its extras
  local image=$1 && shift
  # The versions are those that the tests run with. Without the two strings the file would name the
  # machine that made it.
  CUSTOM_COMPILE_COMMAND="deploy/supply-chain.sh lock" "$tools/bin/pip-compile" -q \
    --generate-hashes --strip-extras --no-annotate --no-emit-index-url --no-emit-find-links \
    --allow-unsafe --constraint requirements.lock "${@/#/--extra=}" \
    --output-file "deploy/$image.lock" pyproject.toml
}

case "${1:-}" in
  lock)
    lock web web lambda
    lock pipeline pipeline postgres
    ;;
  sbom)
    mkdir -p var/sbom
    for image in "${images[@]}"; do
      "$tools/bin/cyclonedx-py" requirements "deploy/$image.lock" --pyproject pyproject.toml \
        --output-reproducible --output-file "var/sbom/$image.cdx.json"
      echo "var/sbom/$image.cdx.json"
    done
    ;;
  audit)
    for image in "${images[@]}"; do
      answer=0
      said=$("$tools/bin/pip-audit" --require-hashes --disable-pip --progress-spinner off \
        -r "deploy/$image.lock" 2>&1) || answer=$?
      echo "$said" | tail -n 5
      # A service that does not know the packages at all has audited nothing.
      if [ $answer -ne 0 ] && grep -q 'Found .* vulnerabilit' <<< "$said"; then exit 1; fi
      if [ $answer -ne 0 ] || grep -q 'could not be audited' <<< "$said"; then
        echo "deploy/$image.lock was not audited: the vulnerability service does not answer for all" \
          "of its packages from here. Run this where it does, before each release." >&2
        exit 2
      fi
    done
    ;;
  *)
    sed -n '2,5s/^# //p' "$0" >&2
    exit 64
    ;;
esac
