#!/bin/sh
# Packages the Lambda functions: functions/* -> build/*.zip and build/manifest.json.
# ./build.sh --help lists the options.
set -eu

tool=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/tools/package_functions.py

# Candidates are tried by running them: a version manager's shim can be on PATH and still fail.
fits() {
  "$1" -S -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
  fits "$PYTHON" && exec "$PYTHON" "$tool" "$@"
  echo "build.sh: PYTHON=$PYTHON does not run as Python 3.11 or newer: name another one, or leave PYTHON unset." >&2
  exit 1
fi
for python in python3 python3.14 python3.13 python3.12 python3.11 python; do
  fits "$python" && exec "$python" "$tool" "$@"
done
echo "build.sh: no Python 3.11 or newer on PATH: install one from https://www.python.org/downloads/ or your package manager, or name it with PYTHON=path." >&2
exit 1
