variable "name" {
  description = "Name of the table."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{3,255}$", var.name))
    error_message = "name \"${var.name}\" must be 3 to 255 letters, digits, dots, hyphens and underscores."
  }
}

variable "hash_key" {
  description = "Hash key, a string attribute."
  type        = string
  nullable    = false
}

variable "range_key" {
  description = "Range key, a string attribute. Null: each `hash_key` has one item."
  type        = string
  default     = null

  validation {
    condition     = var.range_key == null ? true : var.range_key != var.hash_key
    error_message = "range_key must be another attribute than hash_key: DynamoDB refuses a key that has one twice."
  }
}

variable "indexes" {
  description = "Global secondary indexes by name, with string keys; all attributes are projected."
  type = map(object({
    hash_key  = string
    range_key = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(var.indexes) <= 20
    error_message = "indexes has ${length(var.indexes)} elements and a table has 20 at most."
  }
  validation {
    condition     = alltrue([for name in keys(var.indexes) : can(regex("^[a-zA-Z0-9_.-]{3,255}$", name))])
    error_message = "Names in indexes must be 3 to 255 letters, digits, dots, hyphens and underscores."
  }
  validation {
    condition     = alltrue([for index in values(var.indexes) : index.range_key == null ? true : index.range_key != index.hash_key])
    error_message = "An index must have another attribute as range_key than as hash_key."
  }
}

variable "ttl_attribute" {
  description = "Attribute with the time, in seconds since 1970, after which DynamoDB deletes an item. Null deletes none."
  type        = string
  default     = null
}

variable "capacity" {
  description = "Provisioned units instead of on-demand billing, for a table without `indexes`."
  type = object({
    read  = number
    write = number
  })
  default = null

  validation {
    condition     = var.capacity == null || length(var.indexes) == 0
    error_message = "With indexes the table is billed by request: each would need its own capacity. Leave out capacity or indexes."
  }
  validation {
    condition     = var.capacity == null ? true : alltrue([for units in values(var.capacity) : units >= 1 && floor(units) == units])
    error_message = "capacity must be whole numbers of units, 1 or more."
  }
}

variable "point_in_time_recovery" {
  description = "Whether the table can be restored as it was at any second of the last 35 days."
  type        = bool
  default     = true
  nullable    = false
}

variable "deletion_protection" {
  description = "Makes AWS refuse to delete the table, also for `terraform destroy`."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key" {
  description = "Encrypts items with this customer managed key instead of one of AWS. Readers and writers need permission to use it."
  type = object({
    arn = string
  })
  default = null

  validation {
    condition = var.kms_key == null ? true : can(regex("^arn:[a-z0-9-]+:kms:${local.region}:[0-9]{12}:key/.+$", var.kms_key.arn))
    error_message = join(" ", [
      "kms_key.arn must be the key ARN (arn:...:key/...) of a customer managed key in ${local.region}, not an alias:",
      "IAM permissions on an alias grant nothing.",
    ])
  }
}

variable "tags" {
  description = "Tags for the table."
  type        = map(string)
  default     = {}
  nullable    = false
}
