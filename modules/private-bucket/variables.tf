variable "name" {
  description = "Name of the bucket. Names are global: end them in account and region, so that nobody else has them."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.name) >= 3 && length(var.name) <= 63
    error_message = "name \"${var.name}\" has ${length(var.name)} characters and S3 takes 3 to 63."
  }
  validation {
    condition = can(regex("^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", var.name)) && !strcontains(var.name, "..")
    error_message = join(" ", [
      "name \"${var.name}\" must consist of lower-case letters, digits, hyphens and single dots,",
      "and begin and end with a letter or digit.",
    ])
  }
  validation {
    condition     = !can(regex("^[0-9]+(\\.[0-9]+){3}$", var.name))
    error_message = "name \"${var.name}\" looks like an IP address, which S3 refuses."
  }
  validation {
    condition = !can(regex("^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ols-s3|\\.mrap|--x-s3|--table-s3)$", var.name))
    error_message = join(" ", [
      "name \"${var.name}\" is reserved: S3 keeps what begins with xn--, sthree- or amzn-s3-demo-",
      "or ends with -s3alias, --ols-s3, .mrap, --x-s3 or --table-s3 for itself.",
    ])
  }
}

variable "lifecycle_rules" {
  description = <<-EOT
    What S3 deletes, by a name of your choice. Each rule does at least one thing, for keys that begin with its `prefix` (all by default):
    - `expire_days`: objects become older versions this many days after they were written.
    - `noncurrent_days`: older versions are deleted this many days after a newer one, or a deletion, took their place.
    - `incomplete_upload_days`: multipart uploads that nobody completed are aborted this many days after they began.
    - `expired_delete_markers`: markers of deletion that no version is behind are removed. Not beside `expire_days`, which includes it.
  EOT
  type = map(object({
    prefix                 = optional(string)
    expire_days            = optional(number)
    noncurrent_days        = optional(number)
    incomplete_upload_days = optional(number)
    expired_delete_markers = optional(bool, false)
  }))
  default = {
    remove-leftovers = { noncurrent_days = 30, incomplete_upload_days = 7, expired_delete_markers = true }
  }
  nullable = false

  validation {
    condition     = length(var.lifecycle_rules) > 0
    error_message = "lifecycle_rules must have a rule: without one, older versions are kept permanently."
  }
  validation {
    condition     = alltrue([for id in keys(var.lifecycle_rules) : length(id) >= 1 && length(id) <= 255])
    error_message = "Names in lifecycle_rules must be 1 to 255 characters: they are the rules' ids."
  }
  validation {
    condition     = alltrue([for rule in values(var.lifecycle_rules) : rule.prefix == null ? true : length(rule.prefix) <= 1024])
    error_message = "A prefix in lifecycle_rules must be at most 1024 characters: no key is longer."
  }
  validation {
    condition = alltrue(flatten([
      for rule in values(var.lifecycle_rules) : [
        for days in [rule.expire_days, rule.noncurrent_days, rule.incomplete_upload_days] :
        days == null ? true : days >= 1 && days <= 2147483647 && floor(days) == days
      ]
    ]))
    error_message = "expire_days, noncurrent_days and incomplete_upload_days in lifecycle_rules must be whole numbers from 1 to 2147483647."
  }
  validation {
    condition = alltrue([
      for rule in values(var.lifecycle_rules) :
      rule.expired_delete_markers || anytrue([for days in [rule.expire_days, rule.noncurrent_days, rule.incomplete_upload_days] : days != null])
    ])
    error_message = "Every rule in lifecycle_rules must do something: set expire_days, noncurrent_days, incomplete_upload_days or expired_delete_markers."
  }
  validation {
    condition     = alltrue([for rule in values(var.lifecycle_rules) : rule.expire_days == null || !rule.expired_delete_markers])
    error_message = "S3 takes either expire_days or expired_delete_markers in one of lifecycle_rules: make a second rule of one of them."
  }
}

variable "kms_key" {
  description = "Encrypts objects with this customer managed key instead of S3's own (SSE-S3). Whoever reads or writes objects needs permission to use it."
  type = object({
    arn = string
  })
  default = null

  validation {
    condition = var.kms_key == null ? true : can(regex(
      "^arn:[a-z0-9-]+:kms:${lookup(data.aws_region.current, "region", data.aws_region.current.id)}:[0-9]{12}:key/.+$",
      var.kms_key.arn,
    ))
    error_message = join(" ", [
      "kms_key.arn must be the key ARN (arn:...:key/...) of a customer managed key in the bucket's region, not an alias:",
      "IAM permissions on an alias grant nothing.",
    ])
  }
}

variable "force_destroy" {
  description = "Lets `terraform destroy` delete the bucket with the objects in it, every version of them."
  type        = bool
  default     = false
  nullable    = false
}

variable "tags" {
  description = "Tags for the bucket."
  type        = map(string)
  default     = {}
  nullable    = false
}
