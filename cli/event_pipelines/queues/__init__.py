"""`event-pipelines queues`: every queue of every pipeline, looked into, redriven and purged."""
