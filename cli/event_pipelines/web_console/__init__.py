"""`event-pipelines console`: a web console on loopback, over the same functions as the commands."""
