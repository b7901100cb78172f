"""`event-pipelines trace`: the history of one object, from logs, buckets, tables and queues."""
