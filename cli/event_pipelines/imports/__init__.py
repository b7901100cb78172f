"""`event-pipelines imports`: CSV files into a table, started, watched and looked into."""
