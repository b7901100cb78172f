variable "name" {
  description = "Name of the bucket. Names are global: end them in account and region to make them unique."
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
    Which objects expire, by a name of your choice, beside the rule `remove-leftovers` that every bucket has:
    - `prefix`: only keys that begin with it; all by default.
    - `expire_days`: days from writing to expiry, when an object becomes an older version. Null keeps objects, and makes no rule.
  EOT
  type = map(object({
    prefix      = optional(string)
    expire_days = optional(number)
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([for id in keys(var.lifecycle_rules) : length(id) >= 1 && length(id) <= 255 && id != "remove-leftovers"])
    error_message = join(" ", [
      "Names in lifecycle_rules are the rules' ids: 1 to 255 characters, and not remove-leftovers, whose days are leftover_days.",
    ])
  }
  validation {
    condition     = alltrue([for rule in values(var.lifecycle_rules) : rule.prefix == null ? true : length(rule.prefix) <= 1024])
    error_message = "A prefix in lifecycle_rules must be at most 1024 characters: no key is longer."
  }
  validation {
    condition = alltrue([
      for days in values(var.lifecycle_rules)[*].expire_days : days == null ? true : days >= 1 && days <= 2147483647 && floor(days) == days
    ])
    error_message = "expire_days in lifecycle_rules must be a whole number from 1 to 2147483647, or null."
  }
}

variable "leftover_days" {
  description = "Days after which S3 deletes older versions (`noncurrent`) and aborts incomplete multipart uploads (`incomplete_upload`)."
  type = object({
    noncurrent        = optional(number, 30)
    incomplete_upload = optional(number, 7)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for days in values(var.leftover_days) : days >= 1 && days <= 2147483647 && floor(days) == days])
    error_message = "leftover_days must be whole numbers from 1 to 2147483647: without an end, every version would be kept and paid for."
  }
}

variable "object_lock_days" {
  description = <<-EOT
    Days for which a version of an object cannot be deleted or overwritten (object lock in compliance mode, also for the account's root
    user). Null locks nothing. Set it when the bucket is created: S3 cannot disable object lock, and enabling it here replaces the bucket.
  EOT
  type        = number
  default     = null

  validation {
    condition = var.object_lock_days == null ? true : (
      var.object_lock_days >= 1 && var.object_lock_days <= 36500 && floor(var.object_lock_days) == var.object_lock_days
    )
    error_message = "object_lock_days must be a whole number from 1 to 36500, the most that S3 takes, or null."
  }
}

variable "kms_key" {
  description = "Encrypts objects with this customer managed key instead of SSE-S3. Readers and writers need permission to use it."
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
