variable "region" {
  description = "Region in which everything is created."
  type        = string
  default     = "eu-west-1"
  nullable    = false
}

variable "email_subscribers" {
  description = "Addresses to notify, each after confirming AWS's invitation."
  type        = set(string)
  default     = []
  nullable    = false
}
