#!/bin/sh
# Provides Chromium for the tests that need it: installs Debian's package as root, or says how to.
set -eu

for name in chromium chromium-browser google-chrome google-chrome-stable; do
  if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
log=$(cd "$(dirname "$0")/.." && pwd)/.local/browser.log
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Chromium, in which the web console is tested ..."
  export DEBIAN_FRONTEND=noninteractive
  # apt's package lists may be old or missing.
  for update in false true; do
    if "$update"; then apt-get update >>"$log" 2>&1 || break; fi
    if apt-get install --yes --no-install-recommends chromium fonts-dejavu-core >>"$log" 2>&1; then exit 0; fi
  done
fi
echo "The tests in a browser are not run: install Chromium, on Debian as root \`apt-get install chromium fonts-dejavu-core\`." >&2
