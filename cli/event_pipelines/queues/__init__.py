"""`event-pipelines queues`: lists, peeks into, redrives and purges the queues of all pipelines."""
