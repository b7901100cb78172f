#!/bin/sh
# Makes the environments below .local/ that `make` works with, or says in one line what is missing.
# Usage: tools/environment.sh [local|test|bench]
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

case $(uname -m) in
arm64 | aarch64 | x86_64 | amd64) ;;
*) fail "this machine is $(uname -m): the local engine needs an arm64 or x86_64 machine." ;;
esac

# environment DIR STAMP-INPUTS... : makes a virtual environment unless these inputs made it already
environment() {
  target=$1
  shift
  stamp=$({
    "$python" -c 'import sys; print(sys.version, sys.base_prefix)'
    cat "$@"
  } | "$python" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')
  [ "$(cat "$target/.made-from" 2>/dev/null)" = "$stamp" ] && return 1
  rm -rf "$target"
  log=$home/environment.log
  "$python" -m venv "$target" >"$log" 2>&1 ||
    fail "$python cannot make a virtual environment (see $log): install its venv module, on Debian the package python3-venv."
  return 0
}

install() {
  pip=$1
  shift
  "$pip" -m pip install --quiet --disable-pip-version-check --no-compile "$@" >>"$home/environment.log" 2>&1 || {
    tail -n 3 "$home/environment.log" >&2
    fail "pip could not install the pinned packages (see $home/environment.log): check the network, or set PIP_INDEX_URL to a mirror."
  }
}

mkdir -p "$home"
locks="$root/requirements/local.txt $root/requirements/photographs.txt $root/cli/pyproject.toml"
[ "$purpose" = test ] && locks="$locks $root/requirements/test.txt"
# A test environment serves the local run as well: do not throw it away for one.
[ "$purpose" = local ] && [ -e "$home/venv/.made-for-tests" ] && locks="$locks $root/requirements/test.txt"

# shellcheck disable=SC2086 # a list of paths that this script wrote
if environment "$home/venv" $locks; then
  echo "Installing the command line and the local engine into .local/venv ..."
  venv=$home/venv/bin/python
  install "$venv" --require-hashes --no-deps -r "$root/requirements/local.txt"
  # The picture that Matplotlib ships is wanted, not the packages that Matplotlib needs to draw.
  install "$venv" --require-hashes --no-deps -r "$root/requirements/photographs.txt"
  case $locks in *test.txt*)
    install "$venv" --require-hashes --no-deps -r "$root/requirements/test.txt"
    touch "$home/venv/.made-for-tests"
    ;;
  esac
  install "$venv" --no-deps --no-build-isolation -e "$root/cli"
  echo "$stamp" >"$home/venv/.made-from"
fi
if environment "$home/lambda-runtime" "$root/requirements/lambda-runtime.txt"; then
  echo "Installing what the Lambda runtime provides into .local/lambda-runtime ..."
  install "$home/lambda-runtime/bin/python" --require-hashes --no-deps -r "$root/requirements/lambda-runtime.txt"
  echo "$stamp" >"$home/lambda-runtime/.made-from"
fi
# Apart, because checkov pins other versions of packages that the command line and the tests use.
if [ "$purpose" = test ] && environment "$home/lint" "$root/requirements/lint.txt"; then
  echo "Installing checkov into .local/lint ..."
  install "$home/lint/bin/python" --require-hashes --no-deps -r "$root/requirements/lint.txt"
  echo "$stamp" >"$home/lint/.made-from"
fi
if [ "$purpose" = bench ] && environment "$home/bench" "$root/requirements/bench.txt"; then
  echo "Installing what the benchmarks compare with into .local/bench ..."
  install "$home/bench/bin/python" --require-hashes --no-deps -r "$root/requirements/bench.txt"
  echo "$stamp" >"$home/bench/.made-from"
fi
