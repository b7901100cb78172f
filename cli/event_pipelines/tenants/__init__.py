"""`event-pipelines tenants`: groups and tenants, made and looked after at run time."""
