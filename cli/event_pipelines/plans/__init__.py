"""What Terraform's JSON of a plan says, by the standard library alone."""
