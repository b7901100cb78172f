#!/bin/sh
# Initialises a Terraform root wherever the AWS provider can come from, without a change to any file:
#   1. TF_PLUGIN_DIR, when it is set;
#   2. what Terraform itself knows: the user's CLI configuration and caches, then the registry;
#   3. a mirror at a conventional place of this machine, so that no network is needed.
# The registry comes before the mirrors because a mirror may be old and a root need not have a lock
# file. Without a network the attempt ends at once (0.1 s), behind a silent firewall after 11 s.
#
# Usage: tools/terraform_init.sh DIR [terraform init arguments]      (honours TF_DATA_DIR)
set -eu

fail() {
  echo "terraform_init.sh: $1" >&2
  exit 1
}

[ $# -gt 0 ] || fail "name the folder to initialise: tools/terraform_init.sh DIR [terraform init arguments]."
root=$1
shift
[ -d "$root" ] || fail "$root is not a folder: name the one that holds the .tf files."
command -v terraform >/dev/null 2>&1 ||
  fail "Terraform is not on PATH: install Terraform 1.9 or later from https://developer.hashicorp.com/terraform/install."

provider=registry.terraform.io/hashicorp/aws
system=$(uname -s | tr '[:upper:]' '[:lower:]')
case $(uname -m) in
x86_64 | amd64) machine=amd64 ;;
aarch64 | arm64) machine=arm64 ;;
*) machine=$(uname -m) ;;
esac
platform=${system}_$machine

case ${TF_DATA_DIR:-} in
'') data=$root/.terraform ;;
/*) data=$TF_DATA_DIR ;;
*) data=$root/$TF_DATA_DIR ;; # Terraform takes it from the root, too
esac
mkdir -p "$data"
log=$data/init.log
: >"$log"

# Terraform warns about a missing CLI configuration in every command and then goes on without one.
if [ -n "${TF_CLI_CONFIG_FILE:-}" ] && [ ! -e "$TF_CLI_CONFIG_FILE" ]; then
  unset TF_CLI_CONFIG_FILE
fi

# initialise SOURCE [terraform init arguments]: exits when it worked, or failed for another reason
initialise() {
  source=$1
  shift
  if TF_IN_AUTOMATION=1 terraform -chdir="$root" init -input=false -no-color "$@" >"$log.last" 2>&1; then
    cat "$log.last" >>"$log"
    rm -f "$log.last"
    echo "Terraform is initialised in $root, its provider comes from $source."
    exit 0
  fi
  cat "$log.last" >>"$log"
  if ! grep -Eq 'Failed to (query available provider packages|install provider)' "$log.last"; then
    cat "$log.last" >&2
    rm -f "$log.last"
    exit 1
  fi
  rm -f "$log.last"
}

# Folders that may hold a mirror, one a line. Terraform looks into some of them itself, but only for
# a plugins folder.
conventional_places() {
  ls -d /opt/* /opt/*/* "$HOME"/.terraform.d/* "${XDG_DATA_HOME:-$HOME/.local/share}"/terraform/* \
    2>/dev/null || true
  echo "${XDG_DATA_DIRS:-/usr/local/share:/usr/share}" | tr ':' '\n' | while IFS= read -r share; do
    ls -d "$share"/terraform/* 2>/dev/null || true
  done
}

holds_provider() {
  for found in "$1/$provider"/*/"$platform" "$1/$provider"/terraform-provider-aws_*_"$platform".zip; do
    [ -e "$found" ] && return 0
  done
  return 1
}

if [ -n "${TF_PLUGIN_DIR:-}" ]; then
  [ -d "$TF_PLUGIN_DIR" ] || fail "TF_PLUGIN_DIR=$TF_PLUGIN_DIR is not a folder: name one that holds $provider, or leave it unset."
  plugins=$(cd "$TF_PLUGIN_DIR" && pwd)
  initialise "$plugins" -plugin-dir="$plugins" "$@"
  fail "TF_PLUGIN_DIR=$TF_PLUGIN_DIR has no AWS provider for $platform that $root accepts: name a folder that holds $provider, or leave it unset (Terraform's own words are in $log)."
fi

initialise "the registry or your CLI configuration" "$@"

newline='
'
IFS=$newline
for place in $(conventional_places); do
  if holds_provider "$place"; then
    initialise "$place" -plugin-dir="$place" "$@"
  fi
done
fail "there is no AWS provider for $platform that $root accepts: connect to registry.terraform.io, or set TF_PLUGIN_DIR to a folder that holds $provider (Terraform's own words are in $log)."
