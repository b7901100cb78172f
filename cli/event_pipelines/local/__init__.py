"""The local run: the same Terraform root and Lambda packages, on an emulated AWS on loopback."""
