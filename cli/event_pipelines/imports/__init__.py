"""`event-pipelines imports`: starts, watches and shows imports of CSV files into a table."""
