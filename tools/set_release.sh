#!/bin/sh
# Writes publisher and version of this repository wherever they occur; cli/pyproject.toml has both.
# Usage: tools/set_release.sh OWNER v1.2.3
set -eu

fail() {
  echo "set_release.sh: $1" >&2
  exit 1
}

[ $# -eq 2 ] || fail "takes a GitHub user or organisation, and a version, such as: tools/set_release.sh acme v1.2.3"
owner=$1 tag=$2
case $owner in
'' | *[!A-Za-z0-9-]* | -*) fail "'$owner' is not the name of a GitHub user or organisation." ;;
esac
echo "$tag" | grep -qxE 'v[0-9]+\.[0-9]+\.[0-9]+' || fail "'$tag' is not a version's tag: use one like v1.2.3."
cd "$(dirname "$0")/.."
name=terraform-aws-event-pipelines

before=$(sed -n "s|^Repository = \"https://github.com/\(.*\)/$name\"\$|\1|p" cli/pyproject.toml)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' cli/pyproject.toml)
[ -n "$before" ] && [ -n "$version" ] || fail "cli/pyproject.toml has no version, or no Repository: restore both."

# Tests are left out: they read both from cli/pyproject.toml, or use examples.
# shellcheck disable=SC2016 # Perl reads its own variables.
git grep -lzE "$before/$name|v$version" -- ':!tests' ':!CHANGELOG.md' ':!requirements' |
  BEFORE="$before/$name" AFTER="$owner/$name" OLD="v$version" NEW="$tag" xargs -0 perl -pi -e '
    s/\Q$ENV{BEFORE}\E/$ENV{AFTER}/g;
    s/(\?ref=|\@|--branch |version=)\Q$ENV{OLD}\E(?![\w.])/$1$ENV{NEW}/g'
NEW=${tag#v} perl -pi -e 's/^version = ".*"$/version = "$ENV{NEW}"/' cli/pyproject.toml
