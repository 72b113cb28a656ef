#!/usr/bin/env bash
# The web app as a zip for AWS Lambda: dist/lambda.zip, unpacked in dist/lambda.
#
# PYTHON names the interpreter, of the very version that deploy/aws/web.yaml runs. Packages come from
# deploy/web.lock by their hashes, as wheels that run on Amazon Linux 2023 (glibc 2.34).
set -euo pipefail
cd "$(dirname "$0")/.."

python="${PYTHON:-python3.12}"
out="${1:-dist}"
limit=262144000  # bytes unpacked: AWS's
runtime=$(sed -nE 's/^ +Runtime: //p' deploy/aws/web.yaml)
version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
if [ "$version" != "$runtime" ]; then
  echo "deploy/aws/web.yaml runs $runtime, and $python is $version: set PYTHON" >&2
  exit 1
fi
if [ ! -e webapp/static/vendor/pico.min.css ]; then
  echo "webapp/static/vendor is empty: make web-assets" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$out/lambda" "$out/lambda.zip"
mkdir -p "$out/lambda"
"$python" -m venv "$work/venv"
pip=("$work/venv/bin/python" -m pip --disable-pip-version-check -q)

# What Lambda's runtime brings, what only a server needs, and what onnxruntime asks for and imports in
# its tools alone.
left_out="boto3 botocore jmespath python-dateutil s3transfer six urllib3 waitress flatbuffers protobuf"
awk -v out=" $left_out " '/^[a-z0-9]/ { split($1, name, "=="); keep = !index(out, " " name[1] " ") } keep' \
  deploy/web.lock > "$work/lambda.lock"

platforms=()
for glibc in 34 31 28 27 26 24 17; do platforms+=(--platform "manylinux_2_${glibc}_x86_64"); done
"${pip[@]}" install --target "$out/lambda" --no-compile --no-deps --require-hashes \
  --only-binary=:all: --implementation cp "${platforms[@]}" --platform manylinux2014_x86_64 \
  -r "$work/lambda.lock"

# The project from a copy: setuptools would leave its own build folder here, and take from it.
mkdir "$work/source"
cp -r pyproject.toml README.md LICENSE loan_pipeline webapp "$work/source"
rm -rf "$out/lambda/bin"
"${pip[@]}" wheel --no-deps --wheel-dir "$work" "$work/source"
"${pip[@]}" install --target "$out/lambda" --no-compile --no-deps "$work"/loan_pipeline-*.whl

# Tools and tests that are never imported here.
cd "$out/lambda"
rm -rf bin onnxruntime/{backend,datasets,quantization,tools,transformers} numpy/f2py
find . -type d \( -name tests -o -name __pycache__ \) -prune -exec rm -rf {} +
find . -name '*.pyi' -delete
# Lambda's disk is read-only: what is not compiled now is compiled at every start.
"$python" -m compileall -q --invalidation-mode unchecked-hash .
cd - >/dev/null

bytes=$(find "$out/lambda" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
if [ "$bytes" -gt "$limit" ]; then
  echo "$out/lambda has $bytes bytes, more than the $limit that Lambda unpacks" >&2
  exit 1
fi
(cd "$out/lambda" && "$python" -m zipfile -c ../lambda.zip ./*)
echo "$out/lambda.zip: $(stat -c %s "$out/lambda.zip") bytes, $bytes unpacked (at most $limit)"
