#!/bin/sh
# Validates the root and every example with Terraform, and with them every module and pipeline: each
# has an example that calls it. They are validated as one configuration, because Terraform takes a
# fraction of a second for each and two seconds to read the provider; and in a copy, because it
# leaves files in the folders that it initialises. One process of the provider answers for all of their
# provider blocks: Terraform would start one for each, for half of the processor time.
# Usage: tools/validate.sh
set -eu

cd "$(dirname "$0")/.."
work=$PWD/.local/validate
rm -rf "$work"
mkdir -p "$work/tree"
tar -cf - --exclude .terraform --exclude '*.tfstate*' ./*.tf modules pipelines examples |
  tar -xf - -C "$work/tree"
cp .terraform.lock.hcl "$work"

# Users build this package first; the module checks that it exists and begins like a zip.
mkdir -p "$work/tree/examples/lambda-consumer/build"
printf 'PK\003\004' >"$work/tree/examples/lambda-consumer/build/price_order.zip"

# call NAME DIR [ARGUMENT]: prints a call of the module in DIR, with packages if it takes some
call() {
  printf 'module "%s" {\n  source = "./tree/%s"\n' "$1" "$2"
  if grep -q '^variable "package_directory"' "$2/variables.tf"; then
    printf '  package_directory = "../../tests/terraform/packages"\n'
  fi
  printf '  %s\n}\n' "${3-}"
}

{
  call root . 'region = "eu-west-1"'
  for main in examples/*/main.tf; do
    example=${main%/main.tf}
    call "${example#examples/}" "$example"
  done
} >"$work/main.tf"

unset TF_DATA_DIR
tools/terraform_init.sh "$work" >/dev/null

# Terraform and its provider collect garbage a quarter as often as they would.
export GOGC="${GOGC:-400}"

# The provider ends when nobody has the pipe open for writing: with this script, in whatever way.
mkfifo "$work/running"
TF_LOG_SDK=OFF TF_LOG_SDK_FRAMEWORK=OFF TF_LOG_SDK_PROTO=OFF sh -c '"$0" -debug & read -r _; kill -INT $!; wait' \
  "$work"/.terraform/providers/*/hashicorp/aws/*/*/terraform-provider-aws_* \
  >"$work/provider.log" 2>&1 <"$work/running" &
exec 3>"$work/running"
# Without its answer within ten seconds, Terraform starts what it needs.
for _ in $(seq 100); do
  attachment=$(sed -n "s/^.*TF_REATTACH_PROVIDERS='\(.*\)'\$/\1/p" "$work/provider.log")
  [ -z "$attachment" ] || break
  sleep 0.1
done
[ -z "$attachment" ] || export TF_REATTACH_PROVIDERS="$attachment"

valid=yes
terraform -chdir="$work" validate -no-color >"$work/validate.log" 2>&1 || valid=no
exec 3>&-
wait
[ "$valid" = yes ] || {
  cat "$work/validate.log" >&2
  exit 1
}
