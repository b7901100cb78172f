variable "region" {
  description = "Region in which everything is created."
  type        = string
  default     = "eu-west-1"
  nullable    = false
}

variable "force_destroy" {
  description = "Lets `terraform destroy` delete the bucket with the objects in it."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer managed key that encrypts the reports. Null uses SSE-S3, which needs no key permissions."
  type        = string
  default     = null
}
