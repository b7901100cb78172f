"""`event-pipelines audit`: what the audit pipeline saw, from its trail or from its logs."""
