"""Reviews of Terraform plans: the effects of a plan, for the person who approves it.

Needs only Python's standard library: no packages, network or credentials.
"""
