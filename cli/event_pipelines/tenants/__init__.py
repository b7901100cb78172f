"""`event-pipelines tenants`: creates, changes, verifies and deletes groups and tenants."""
