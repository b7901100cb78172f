"""`event-pipelines trace`: the story of one object, from wherever a pipeline keeps a part of it."""
