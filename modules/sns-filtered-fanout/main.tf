data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  # Provider 6 renamed the attribute; lookup() is the one form that both majors accept.
  region = lookup(data.aws_region.current, "region", data.aws_region.current.id)

  # Composed from the name, so that the queues can name the topic in their policies while the topic
  # names the queues in its subscriptions, and both policies are complete in the first plan.
  topic_arn = "arn:${data.aws_partition.current.partition}:sns:${local.region}:${local.account_id}:${var.name}"

  # A topic without a policy gets the default of AWS, which lets every identity of the account, and
  # services acting for it, publish, subscribe and delete. So it always has a policy.
  topic_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "DenyInsecureTransport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      [for name, publisher in var.publishers : {
        Sid       = "Allow-${name}"
        Effect    = "Allow"
        Principal = { Service = "${publisher.service}.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = {
          ArnEquals    = { "aws:SourceArn" = publisher.source_arn }
          StringEquals = { "aws:SourceAccount" = coalesce(publisher.source_account, local.account_id) }
        }
      } if publisher.service != null],
      [for name, publisher in var.publishers : {
        Sid       = "Allow-${name}"
        Effect    = "Allow"
        Principal = { AWS = "arn:${data.aws_partition.current.partition}:iam::${publisher.account_id}:root" }
        Action    = "sns:Publish"
        Resource  = local.topic_arn
      } if publisher.account_id != null],
      [for name, publisher in var.publishers : {
        Sid       = "Allow-${name}"
        Effect    = "Allow"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { StringEquals = { "aws:PrincipalOrgID" = publisher.organization_id } }
      } if publisher.organization_id != null],
      [for text in var.policy_statements : merge({ Resource = local.topic_arn }, jsondecode(text))],
    )
  })

  # Actions that a topic's policy may name, in lower case, since IAM ignores case.
  policy_actions = [
    "sns:addpermission", "sns:deletetopic", "sns:getdataprotectionpolicy", "sns:gettopicattributes", "sns:listsubscriptionsbytopic",
    "sns:listtagsforresource", "sns:publish", "sns:putdataprotectionpolicy", "sns:removepermission", "sns:settopicattributes",
    "sns:subscribe", "sns:tagresource", "sns:untagresource",
  ]

  filter_policies = {
    for name, subscription in var.subscriptions : name => jsondecode(subscription.filter_policy)
    if can(keys(jsondecode(subscription.filter_policy)))
  }

  # Filter policies nest, and HCL has no recursion, so the levels are written out. An S3 event needs
  # four (Records.s3.object.key); the fifth detects policies that are too deep. Alternatives of an $or count as if all
  # were required, at the level of the $or; one $or may contain another.
  filter_level_1 = {
    for name, policy in local.filter_policies : name => concat([], [
      for object in flatten([
        for one in [policy] : [one, [for each in try(one["$or"], []) : [each, try(each["$or"], [])]]]
      ]) :
      [for key, value in object : value if key != "$or"] if can(keys(object))
    ]...)
  }
  filter_level_2 = {
    for name, level in local.filter_level_1 : name => concat([], [
      for object in flatten([
        for one in level : [one, [for each in try(one["$or"], []) : [each, try(each["$or"], [])]]] if can(keys(one))
      ]) :
      [for key, value in object : value if key != "$or"] if can(keys(object))
    ]...)
  }
  filter_level_3 = {
    for name, level in local.filter_level_2 : name => concat([], [
      for object in flatten([
        for one in level : [one, [for each in try(one["$or"], []) : [each, try(each["$or"], [])]]] if can(keys(one))
      ]) :
      [for key, value in object : value if key != "$or"] if can(keys(object))
    ]...)
  }
  filter_level_4 = {
    for name, level in local.filter_level_3 : name => concat([], [
      for object in flatten([
        for one in level : [one, [for each in try(one["$or"], []) : [each, try(each["$or"], [])]]] if can(keys(one))
      ]) :
      [for key, value in object : value if key != "$or"] if can(keys(object))
    ]...)
  }
  filter_level_5 = {
    for name, level in local.filter_level_4 : name => concat([], [
      for object in flatten([
        for one in level : [one, [for each in try(one["$or"], []) : [each, try(each["$or"], [])]]] if can(keys(one))
      ]) :
      [for key, value in object : value if key != "$or"] if can(keys(object))
    ]...)
  }

  filters = {
    for name in keys(local.filter_policies) : name => {
      nested   = length(local.filter_level_2[name]) > 0
      too_deep = length(local.filter_level_5[name]) > 0

      # Only keys with values count; SNS multiplies the number of values by their depth.
      leaves = concat([], [
        for index, level in [
          local.filter_level_1[name], local.filter_level_2[name], local.filter_level_3[name], local.filter_level_4[name],
        ] :
        [for value in level : { values = value, weight = can(value[0]) ? length(value) * (index + 1) : 0 } if !can(keys(value))]
      ]...)
    }
  }

  # HCL has no product function; more than five leaves are refused for their number.
  filter_combinations = {
    for name, filter in local.filters : name => (
      concat(filter.leaves[*].weight, [1, 1, 1, 1, 1])[0]
      * concat(filter.leaves[*].weight, [1, 1, 1, 1, 1])[1]
      * concat(filter.leaves[*].weight, [1, 1, 1, 1, 1])[2]
      * concat(filter.leaves[*].weight, [1, 1, 1, 1, 1])[3]
      * concat(filter.leaves[*].weight, [1, 1, 1, 1, 1])[4]
    )
  }

  unfiltered = { nested = false, too_deep = false, leaves = [] }

  # The policies that SNS accepts, as a grammar of their text: comparisons become a number, lists of values \u0001, and
  # objects of those \u0002, from the inside out. A text that is reduced to one \u0002 is a policy.
  string = "\"[^\"]*\""
  number = "-?[0-9.]+(?:[eE][-+]?[0-9]+)?"
  above  = "\"\\\\u003e=?\",(${local.number})"
  below  = "\"\\\\u003c=?\",(${local.number})"
  comparison = join("|", [
    "\"exists\":(?:true|false)",
    "\"(?:prefix|suffix)\":(?:${local.string}|\\{\"equals-ignore-case\":${local.string}\\})",
    "\"(?:cidr|equals-ignore-case|wildcard)\":${local.string}",
    "\"numeric\":\\[(?:\"=\",${local.number}|${local.above}|${local.below}|${local.above},${local.below})\\]",
    "\"anything-but\":(?:${local.string}|${local.number})",
    "\"anything-but\":\\[(?:${local.string}(?:,${local.string})*|${local.number}(?:,${local.number})*)\\]",
    join("", [
      "\"anything-but\":\\{\"(?:prefix|suffix|equals-ignore-case|wildcard)\":",
      "(?:${local.string}|\\[${local.string}(?:,${local.string})*\\])\\}",
    ]),
  ])
  value  = "(?:${local.string}|${local.number}|true|false|null)"
  member = "${local.string}:[\u0001\u0002]"
  object = "/\\{${local.member}(?:,${local.member})*\\}/"
  either = "/\"[$]or\":\\[\u0002(?:,\u0002)+\\]/"

  # Without escaped quotes, which would end a string.
  filter_texts = {
    for name, policy in local.filter_policies : name => replace(replace(jsonencode(policy), "\\\\", ""), "\\\"", "")
  }
  filter_lists = {
    for name, text in local.filter_texts : name => replace(
      replace(text, "/\\{(?:${local.comparison})\\}/", "0"), "/\\[${local.value}(?:,${local.value})*\\]/", "\u0001",
    )
  }
  filter_reduced_1 = {
    for name, text in local.filter_lists : name => replace(
      replace(replace(replace(text, local.object, "\u0002"), local.either, "\"or\":\u0001"), local.object, "\u0002"),
      local.either, "\"or\":\u0001",
    )
  }
  filter_reduced_2 = {
    for name, text in local.filter_reduced_1 : name => replace(
      replace(replace(replace(text, local.object, "\u0002"), local.either, "\"or\":\u0001"), local.object, "\u0002"),
      local.either, "\"or\":\u0001",
    )
  }
  filter_reduced = {
    for name, text in local.filter_reduced_2 : name => replace(
      replace(replace(replace(text, local.object, "\u0002"), local.either, "\"or\":\u0001"), local.object, "\u0002"),
      local.either, "\"or\":\u0001",
    )
  }
  filter_numbers_fit = {
    for name, text in local.filter_texts : name => alltrue(concat(
      [for range in regexall("${local.above},${local.below}", text) : tonumber(range[0]) < tonumber(range[1])],
      [for number in regexall(local.number, replace(text, "/${local.string}/", "")) : abs(tonumber(number)) <= 1000000000],
    ))
  }
}

resource "aws_sns_topic" "topic" {
  name              = var.name
  policy            = local.topic_policy
  kms_master_key_id = var.kms_key == null ? null : var.kms_key.arn

  tags = var.tags

  lifecycle {
    precondition {
      condition = length(local.topic_policy) <= 30720
      error_message = join(" ", [
        "The policy of ${var.name} is ${length(local.topic_policy)} bytes, and SNS takes 30720: shorten policy_statements or use fewer",
        "publishers.",
      ])
    }

    postcondition {
      condition = self.arn == local.topic_arn
      error_message = join(" ", [
        "AWS created ${self.arn}, but policies were written for ${local.topic_arn}: check that the provider's account, region and",
        "partition are the ones its data sources report.",
      ])
    }
  }
}

resource "aws_sns_topic_subscription" "queue" {
  for_each = var.subscriptions

  topic_arn = aws_sns_topic.topic.arn
  protocol  = "sqs"
  endpoint  = each.value.queue_arn

  filter_policy = each.value.filter_policy
  # The provider refuses a scope without a policy.
  filter_policy_scope  = each.value.filter_policy == null ? null : each.value.filter_policy_scope
  raw_message_delivery = each.value.raw_message_delivery

  # Applies after SNS's own retries; unlike the redrive policy of a queue, this one has no count.
  redrive_policy = each.value.dlq == null ? null : jsonencode({ deadLetterTargetArn = each.value.dlq.arn })

  lifecycle {
    precondition {
      condition = !lookup(local.filters, each.key, local.unfiltered).too_deep
      error_message = join(" ", [
        "filter_policy of subscription ${each.key} nests deeper than four levels, and an S3 event has no more:",
        "remove the extra key.",
      ])
    }

    precondition {
      condition = alltrue([for leaf in lookup(local.filters, each.key, local.unfiltered).leaves : can(leaf.values[0])])
      error_message = join(" ", [
        "filter_policy of subscription ${each.key} has a key without values: SNS requires a non-empty list at the end of every path,",
        "[\"x\"] even for a single value.",
      ])
    }

    precondition {
      condition = lookup(local.filter_reduced, each.key, "\u0002") == "\u0002"
      error_message = join(" ", [
        "filter_policy of subscription ${each.key} is not valid for SNS: values are strings, numbers, true, false and null, or compare",
        "by anything-but (strings or numbers, not both), cidr, equals-ignore-case, exists, numeric ([\">\", 0, \"<=\", 9]), prefix, suffix",
        "or wildcard; $or has two or more objects.",
      ])
    }

    precondition {
      condition     = lookup(local.filter_numbers_fit, each.key, true)
      error_message = "filter_policy of subscription ${each.key} has an empty range, or a number beyond the 1000000000 of SNS."
    }

    precondition {
      condition = length(lookup(local.filters, each.key, local.unfiltered).leaves) <= 5
      error_message = join(" ", [
        "filter_policy of subscription ${each.key} has ${length(lookup(local.filters, each.key, local.unfiltered).leaves)} keys with",
        "values, and SNS takes 5: filter the rest in the consumer.",
      ])
    }

    precondition {
      condition = lookup(local.filter_combinations, each.key, 0) <= 150
      error_message = join(" ", [
        "filter_policy of subscription ${each.key} makes ${lookup(local.filter_combinations, each.key, 0)}",
        "combinations (values of every key x their depth, multiplied), and SNS takes 150: use prefixes",
        "or anything-but instead of long lists.",
      ])
    }

    precondition {
      condition = (
        each.value.filter_policy == null || each.value.filter_policy_scope == "MessageBody" || length(var.publishers) == 0
        || anytrue([for publisher in var.publishers : coalesce(publisher.service, "-") != "s3"])
      )
      error_message = join(" ", [
        "filter_policy of subscription ${each.key} has filter_policy_scope = \"MessageAttributes\", and only S3 publishes, which sends",
        "none: it would drop everything. Filter by MessageBody.",
      ])
    }

    precondition {
      condition = each.value.filter_policy_scope != "MessageAttributes" || !lookup(local.filters, each.key, local.unfiltered).nested
      error_message = join(" ", [
        "filter_policy of subscription ${each.key} is nested, which only filter_policy_scope = \"MessageBody\" can be: attributes are",
        "flat.",
      ])
    }
  }
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.email_subscribers

  topic_arn = aws_sns_topic.topic.arn
  protocol  = "email"
  endpoint  = each.value
}
