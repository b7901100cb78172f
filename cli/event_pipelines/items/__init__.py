"""`event-pipelines items`: items into the relay, where they are, and the service at its end."""
