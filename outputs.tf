output "region" {
  description = "Region in which the stack lives."
  value       = var.region
}

output "image_derivatives" {
  description = "Bucket, prefixes, topic, queues and functions of the image pipeline; null when it is not in `pipelines`."
  value       = one(module.image_derivatives[*].pipeline)
}
