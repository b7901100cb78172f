#!/bin/sh
# Builds the wheel of the command into a folder and checks it: the same bytes of the same commit on every machine.
# Usage: tools/wheel.sh FOLDER
set -eu

[ $# -eq 1 ] || {
  echo "wheel.sh: takes the folder for the wheel, such as: tools/wheel.sh dist" >&2
  exit 1
}
cd "$(dirname "$0")/.."
mkdir -p "$1"
folder=$(cd "$1" && pwd)
python=$PWD/.local/dist/bin/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Built in a copy, because setuptools writes beside its sources; modes and times are part of a wheel.
cp -R -L cli "$work/cli"
rm -rf "$work"/cli/build "$work"/cli/*.egg-info
find "$work/cli" -name __pycache__ -type d -prune -exec rm -rf {} +
find "$work/cli" -type d -exec chmod 755 {} + -o -type f -exec chmod 644 {} +
SOURCE_DATE_EPOCH=315619200 "$python" -m build --wheel --no-isolation --outdir "$folder" "$work/cli" >"$work/log" 2>&1 || {
  cat "$work/log" >&2
  echo "wheel.sh: the wheel could not be built." >&2
  exit 1
}
"$python" -m twine check --strict "$folder"/*.whl
