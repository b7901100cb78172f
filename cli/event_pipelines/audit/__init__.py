"""`event-pipelines audit`: events that the audit pipeline recorded, from its trail or logs."""
