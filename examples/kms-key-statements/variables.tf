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
  description = "Customer managed key that encrypts the reports. Null leaves that to S3's own key, which needs no permission."
  type        = string
  default     = null
}
