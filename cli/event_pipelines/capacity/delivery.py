"""How long an event is under way before it lies in a queue."""

from event_pipelines.capacity.work import Distribution, Fixed, Lognormal

# S3 delivers event notifications "typically in seconds but can sometimes take a minute or longer".
# Source: Amazon S3 User Guide, "Amazon S3 Event Notifications". The numbers are an assumption.
S3_TO_TARGET: Distribution = Lognormal(mean=1.5, variation=1.0)
# A hop through a standard topic. Amazon publishes no figure: an assumption.
SNS_TO_QUEUE = 0.1
# What a program sends to a queue is there when its call returns.
AT_ONCE: Distribution = Fixed(0.0)
