# What variables.tf refers to, and so all that its guards need: tests/variables links to both files.

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  # Provider 5 has no `region` attribute here, provider 6 deprecates the others.
  region     = lookup(data.aws_region.current, "region", data.aws_region.current.id)
  account_id = data.aws_caller_identity.current.account_id

  # The families that S3 takes with an asterisk, and the events that have none.
  event_families = {
    LifecycleExpiration = ["Delete", "DeleteMarkerCreated"]
    ObjectAnnotation    = ["Delete", "Put"]
    ObjectCreated       = ["CompleteMultipartUpload", "Copy", "Post", "Put"]
    ObjectRemoved       = ["Delete", "DeleteMarkerCreated"]
    ObjectRestore       = ["Completed", "Delete", "Post"]
    ObjectTagging       = ["Delete", "Put"]
    Replication = [
      "OperationFailedReplication", "OperationMissedThreshold", "OperationNotTracked", "OperationReplicatedAfterThreshold",
    ]
  }
  single_events = ["IntelligentTiering", "LifecycleTransition", "ObjectAcl:Put", "ObjectRetention:Put", "ReducedRedundancyLostObject"]

  # Values that `routes` and `events` may have, and the event names in messages that they stand for.
  event_names = merge({ for event in local.single_events : event => [event] }, [
    for family, kinds in local.event_families : merge(
      { "${family}:*" = [for kind in kinds : "${family}:${kind}"] },
      { for kind in kinds : "${family}:${kind}" => ["${family}:${kind}"] },
    )
  ]...)
}
