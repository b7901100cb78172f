variable "name" {
  description = "First part of the alarms' names, which a hyphen and the key in `alarms` follow."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+$", var.name))
    error_message = "name must consist of letters, digits, hyphens, dots and underscores."
  }
}

variable "alarms" {
  description = <<-EOT
    The alarms, by the second part of their names:
    - `description`: what is wrong and what to do about it. It is in every notification.
    - `namespace`, `metric_name`, `dimensions`, `statistic`, `period_seconds`: what is measured; `dimensions` are the variable of that
      name where left out.
    - `comparison_operator`, `threshold`, `evaluation_periods`: when it enters ALARM: after so many periods in a row.
    - `treat_missing_data`: `notBreaching` for a metric without data while idle; `breaching`, `ignore` or `missing`.
    - `notifies`: false for an alarm that is only part of a composite alarm and sends no notification.
  EOT
  type = map(object({
    description         = string
    namespace           = optional(string, "EventPipelines")
    metric_name         = string
    dimensions          = optional(map(string))
    statistic           = optional(string, "Sum")
    period_seconds      = optional(number, 300)
    comparison_operator = optional(string, "GreaterThanOrEqualToThreshold")
    threshold           = optional(number, 1)
    evaluation_periods  = optional(number, 1)
    treat_missing_data  = optional(string, "notBreaching")
    notifies            = optional(bool, true)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key in keys(var.alarms) : can(regex("^[A-Za-z0-9_.-]+$", key)) && length("${var.name}-${key}") <= 255])
    error_message = "Keys of alarms must be letters, digits, hyphens, dots and underscores, 255 with name and the hyphen between."
  }
  validation {
    condition     = alltrue([for alarm in values(var.alarms) : length(alarm.description) <= 1024])
    error_message = "A description in alarms must be at most 1024 characters."
  }
  validation {
    condition = alltrue([
      for alarm in values(var.alarms) : contains(["Average", "Maximum", "Minimum", "SampleCount", "Sum"], alarm.statistic)
      && contains(["breaching", "ignore", "missing", "notBreaching"], alarm.treat_missing_data)
      && can(regex("^(GreaterThanOrEqualTo|GreaterThan|LessThanOrEqualTo|LessThan)Threshold$", alarm.comparison_operator))
    ])
    error_message = "alarms has a statistic, comparison_operator or treat_missing_data that CloudWatch does not have."
  }
  validation {
    condition = alltrue([
      for alarm in values(var.alarms) : alarm.period_seconds >= 60 && alarm.period_seconds % 60 == 0
      && alarm.evaluation_periods >= 1 && floor(alarm.evaluation_periods) == alarm.evaluation_periods
      && alarm.period_seconds * alarm.evaluation_periods <= (alarm.period_seconds >= 3600 ? 604800 : 86400)
    ])
    error_message = "Alarms evaluate a day at most (seven with periods of an hour or more), in whole periods of a multiple of 60 seconds."
  }
}

variable "rejections" {
  description = <<-EOT
    One more alarm, `rejections`, on the metric `Rejected` with `dimensions`; null makes none:
    - `threshold`: how many within 5 minutes trigger the alarm.
    - `what`: continues "10 or more ", and says what was refused and why that happens.
    - `remedy`: where their records are and what to do. The sentence between both says that they are not retried.
  EOT
  type = object({
    threshold = number
    what      = string
    remedy    = string
  })
  default = null

  validation {
    condition     = var.rejections == null || !contains(keys(var.alarms), "rejections")
    error_message = "alarms has the key rejections, which the variable rejections adds itself: remove one of them."
  }
}

variable "dimensions" {
  description = "Dimensions of the metrics of every alarm that names none."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "actions" {
  description = "ARNs that are notified when an alarm enters and leaves ALARM, such as an SNS topic."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.actions) <= 5
    error_message = "actions has ${length(var.actions)} elements and CloudWatch takes 5."
  }
  validation {
    condition     = alltrue([for arn in var.actions : can(regex("^arn:[^:]+:[^:]+:(${local.region})?:", arn))])
    error_message = "actions must be ARNs in the alarms' region, ${local.region}: alarms notify only in their own region."
  }
}

variable "tags" {
  description = "Tags for the alarms."
  type        = map(string)
  default     = {}
  nullable    = false
}
