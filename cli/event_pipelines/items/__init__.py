"""`event-pipelines items`: puts items into the relay, shows their state, serves finished ones."""
