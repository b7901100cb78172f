"""The local run: the same Terraform root and Lambda packages, on an AWS stand-in on loopback."""
