variable "region" {
  description = "Region in which everything is created."
  type        = string
  default     = "eu-west-1"
  nullable    = false
}

variable "package_directory" {
  description = "Folder that `build.sh` wrote: the function packages and their `manifest.json`."
  type        = string
  default     = "../../build"
  nullable    = false
}

variable "force_destroy" {
  description = "Lets `terraform destroy` delete the buckets with the objects in them."
  type        = bool
  default     = false
  nullable    = false
}
