"""The `event-pipelines` command: runs, inspects and operates the pipelines, here or on AWS."""
