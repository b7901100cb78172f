# For those who use tflint: `tflint --recursive --config "$PWD/.tflint.hcl"` (by itself it looks for
# a configuration in every folder). The tests of this repository do without it.

plugin "terraform" {
  enabled = true
  preset  = "recommended"
}

# Looks values up that only AWS knows, such as names of runtimes. Off, because it has to be fetched
# first: set enabled and run `tflint --init`.
plugin "aws" {
  enabled = false
  version = "0.44.0"
  source  = "github.com/terraform-linters/tflint-ruleset-aws"
}
