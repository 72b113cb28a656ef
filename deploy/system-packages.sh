#!/usr/bin/env bash
# Installs the programs that the tests start, where this is Debian and we are root; elsewhere says
# what is missing: the tests that need it skip with the reason.
set -euo pipefail

declare -A package_of=(
  [mariadbd]=mariadb-server
  [chromium-headless-shell]=chromium-headless-shell
  [sshd]=openssh-server
  [ssh]=openssh-client
  [java]=openjdk-17-jre-headless
  [npm]=npm
  [pg_ctlcluster]=postgresql
  [docker-compose]=docker-compose
)
PATH="$PATH:/usr/sbin:/sbin"
missing=()
for program in "${!package_of[@]}"; do
  command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "Not installed: ${missing[*]} (names of Debian's packages)."
  echo "Install them to run every test; without them the tests that need them skip."
fi
