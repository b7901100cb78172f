#!/bin/sh
# Prints the section of CHANGELOG.md for a release; fails if the version is not ready.
# Usage: tools/release_notes.sh v1.2.3
set -eu

fail() {
  echo "release_notes.sh: $1" >&2
  exit 1
}

tag=${1-}
version=${tag#v}
case $tag in
v[0-9]*.[0-9]*.[0-9]*) ;;
*) fail "'$tag' is not a version's tag: use one like v1.2.3." ;;
esac
cd "$(dirname "$0")/.."

# The command prints this version, and bug reports quote it.
grep -qxF "version = \"$version\"" cli/pyproject.toml ||
  fail "cli/pyproject.toml is not at version $version: set it before you tag."

notes=$(awk -v heading="## $version - " '
  index($0, "## ") == 1 { inside = index($0, heading) == 1; next }
  inside
' CHANGELOG.md)
[ -n "$notes" ] ||
  fail "CHANGELOG.md has no section '## $version - <date>' with something in it: write it before you tag."
printf '%s\n' "$notes"
