#!/bin/sh
# Locks every requirements.in of this repository: exact versions with the hashes of their files.
# Usage: tools/lock.sh [uv pip compile options, such as --upgrade-package NAME]
# Needs uv (pip install uv).
set -eu

cd "$(dirname "$0")/.."
command -v "${UV:=uv}" >/dev/null || {
  echo "lock.sh: uv is not on PATH: run 'pip install uv', or set UV to its path." >&2
  exit 1
}

compile() {
  UV_CUSTOM_COMPILE_COMMAND=tools/lock.sh "$UV" pip compile --quiet --no-config \
    --generate-hashes --python-version 3.11 --default-index https://pypi.org/simple \
    --no-emit-index-url --no-emit-find-links --fork-strategy fewest "$@"
}

# The others take their common versions from local.txt, so it comes first.
for name in local command dist lambda-runtime package test lint bench; do
  compile --universal "$@" -o "requirements/$name.txt" "requirements/$name.in"
done
compile --universal --no-deps "$@" -o requirements/photographs.txt requirements/photographs.in

# A package is built for one platform, whatever machine and Python run pip: its lock has no
# environment markers, which pip would evaluate for itself.
for input in functions/*/requirements-*.in; do
  [ -e "$input" ] || continue
  compile --python-platform aarch64-manylinux_2_28 --only-binary :all: --no-deps "$@" \
    -o "${input%.in}.txt" "$input"
done
for input in functions/*/requirements.in; do
  [ -e "$input" ] || continue
  compile --python-platform aarch64-manylinux_2_28 --only-binary :all: "$@" \
    -o "${input%.in}.txt" "$input"
done
