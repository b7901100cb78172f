variable "region" {
  description = "Region in which everything is created."
  type        = string
  default     = "eu-west-1"
  nullable    = false
}

variable "deletion_protection" {
  description = "Makes AWS refuse to delete the table."
  type        = bool
  default     = false
  nullable    = false
}
