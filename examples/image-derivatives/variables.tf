variable "region" {
  description = "Region in which everything is created."
  type        = string
  default     = "eu-west-1"
  nullable    = false
}

variable "name_prefix" {
  description = "First part of every resource name."
  type        = string
  default     = "acme"
  nullable    = false
}

variable "package_directory" {
  description = "Folder with the function packages and their manifest: what `build.sh` wrote, or a release's archive unpacked."
  type        = string
  default     = "../../build"
  nullable    = false
}

variable "force_destroy" {
  description = "Lets `terraform destroy` delete the bucket with the objects in it."
  type        = bool
  default     = false
  nullable    = false
}
