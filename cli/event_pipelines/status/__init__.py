"""`event-pipelines status`: where the messages of every pipeline are, and whether all is well."""
