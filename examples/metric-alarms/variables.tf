variable "region" {
  description = "Region in which everything is created."
  type        = string
  default     = "eu-west-1"
  nullable    = false
}

variable "email_subscribers" {
  description = "Addresses that are told, each after confirming AWS's invitation."
  type        = set(string)
  default     = []
  nullable    = false
}
