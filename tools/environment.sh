#!/bin/sh
# Creates the environments below .local/ that `make` uses, or says in one line what is missing.
# Usage: tools/environment.sh [local|test|lint|bench|dist]
# Each purpose adds to the environments of the others, in any order; all but `local` include `test`.
set -eu

purpose=${1:-local}
root=$(cd "$(dirname "$0")/.." && pwd)
home=$root/.local

fail() {
  echo "event-pipelines: $1" >&2
  exit 1
}

# The local run hands functions to this interpreter under the name of a Lambda runtime, and the
# oldest provider we support knows runtimes up to python3.13.
fits() {
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
  fits "$PYTHON" || fail "PYTHON=$PYTHON is not Python 3.11, 3.12 or 3.13: name one of these, or leave PYTHON unset."
  python=$PYTHON
else
  python=
  for candidate in python3 python3.13 python3.12 python3.11; do
    if fits "$candidate"; then
      python=$candidate
      break
    fi
  done
  [ -n "$python" ] || fail "Python 3.11, 3.12 or 3.13 is not on PATH: install one from https://www.python.org/downloads/ or your package manager, or name it with PYTHON=path."
fi
command -v terraform >/dev/null 2>&1 ||
  fail "Terraform is not on PATH: install Terraform 1.9 or later from https://developer.hashicorp.com/terraform/install."

case $purpose in
local | test | lint | bench | dist) ;;
*) fail "unknown purpose $purpose: name local, test, lint, bench or dist." ;;
esac
case $(uname -m) in
arm64 | aarch64 | x86_64 | amd64) ;;
*) fail "this machine is $(uname -m): the local engine needs an arm64 or x86_64 machine." ;;
esac

# The variables of `make demo` are checked before anything is installed or built.
case ${PORT:-1} in
*[!0-9]* | ??????*) port=no ;;
*) port=$([ "${PORT:-1}" -ge 1 ] && [ "${PORT:-1}" -le 65535 ] && echo yes || echo no) ;;
esac
[ "$port" = yes ] || fail "PORT=$PORT is no port: name one from 1 to 65535, or leave PORT unset."
[ -r "${PHOTO:-/}" ] || fail "PHOTO=$PHOTO cannot be read: name a JPEG, PNG, WebP, GIF or AVIF file."
{ mkdir -p "$home" && [ -w "$home" ]; } 2>/dev/null ||
  fail "$home cannot be written: work in a folder of your own."

# inputs FILE... : prints the contents that an environment is made from
inputs() {
  echo "$version"
  cat "$@"
}

# made TARGET LAYER FILE... : whether these files made this layer of the environment already
made() {
  stamp=$1/.made-from-$2
  shift 2
  [ -e "$stamp" ] && inputs "$@" | cmp -s - "$stamp"
}

create() {
  rm -rf "$1"
  "$python" -m venv "$1" >"$log" 2>&1 ||
    fail "$python cannot make a virtual environment (see $log): install its venv module, on Debian the package python3-venv."
}

install() {
  target=$1
  shift
  "$target/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile "$@" >>"$log" 2>&1 || {
    tail -n 3 "$log" >&2
    fail "pip could not install the pinned packages (see $log): check the network, or set PIP_INDEX_URL to a mirror."
  }
}

locked() {
  install "$1" --require-hashes --no-deps -r "$root/requirements/$2.txt"
}

# separate TARGET SENTENCE : creates an environment from the lock of the same name
separate() {
  lock=$root/requirements/$1.txt
  made "$home/$1" all "$lock" && return
  echo "$2 into .local/$1 ..."
  create "$home/$1"
  locked "$home/$1" "$1"
  inputs "$lock" >"$home/$1/.made-from-all"
}

version=$("$python" -c 'import sys; print(sys.version, sys.base_prefix)')
venv=$home/venv
log=$home/environment.log
set -- "$root/requirements/local.txt" "$root/requirements/photographs.txt" "$root/cli/pyproject.toml"
tests=$root/requirements/test.txt
# A local run keeps the tools of the tests that are installed already.
tools=no
if [ "$purpose" != local ] || [ -e "$venv/.made-from-test" ]; then tools=yes; fi

# A changed lock of the tests may lack packages that it had; only a new environment removes them.
if ! made "$venv" local "$@" || { [ -e "$venv/.made-from-test" ] && ! made "$venv" test "$@" "$tests"; }; then
  echo "Installing the command line and the local engine into .local/venv ..."
  create "$venv"
  locked "$venv" local
  # Only the picture that Matplotlib ships is needed, not the packages that Matplotlib depends on.
  locked "$venv" photographs
  install "$venv" --no-deps --no-build-isolation -e "$root/cli"
  inputs "$@" >"$venv/.made-from-local"
fi
if [ "$tools" = yes ] && ! made "$venv" test "$@" "$tests"; then
  echo "Installing the tools of the tests into .local/venv ..."
  locked "$venv" test
  inputs "$@" "$tests" >"$venv/.made-from-test"
fi
separate lambda-runtime "Installing what the Lambda runtime provides"
case $purpose in
# Separate, because checkov pins other versions of packages that the command line and the tests use.
lint) separate lint "Installing checkov" ;;
bench) separate bench "Installing what the benchmarks compare with" ;;
dist) separate dist "Installing what builds and checks the wheel" ;;
esac
