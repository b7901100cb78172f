"""Reads Terraform plans in JSON, with the standard library only."""
