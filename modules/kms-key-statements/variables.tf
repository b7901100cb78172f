variable "kms_key" {
  description = "The customer managed key, in the region of what it encrypts. Null makes every list of statements empty."
  type = object({
    arn = string
  })
  default = null

  validation {
    condition = var.kms_key == null ? true : can(regex("^arn:[a-z0-9-]+:kms:${local.region}:[0-9]{12}:key/.+$", var.kms_key.arn))
    error_message = join(" ", [
      "kms_key.arn must be the key ARN (arn:...:key/...) of a key in ${local.region}: IAM permissions on an alias grant nothing.",
    ])
  }
}
