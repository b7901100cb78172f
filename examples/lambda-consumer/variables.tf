variable "region" {
  description = "Region in which everything is created."
  type        = string
  default     = "eu-west-1"
  nullable    = false
}

variable "runtime" {
  description = "Lambda runtime of the function. The code runs on all supported Python versions."
  type        = string
  default     = "python3.13"
  nullable    = false
}

variable "architecture" {
  description = "Processor of the function: arm64 or x86_64."
  type        = string
  default     = "arm64"
  nullable    = false
}
