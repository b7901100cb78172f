"""What the settings in a Terraform plan can carry: a discrete-event model of the pipelines on AWS.

Nothing here needs more than Python: no package, no network, no credentials.
"""
