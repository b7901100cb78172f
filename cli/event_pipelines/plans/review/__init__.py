"""What a Terraform plan would do, as a reviewer needs to see it.

Nothing here needs more than Python: no package, no network, no credentials.
"""
