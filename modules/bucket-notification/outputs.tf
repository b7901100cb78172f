output "bucket" {
  description = <<-EOT
    Name of the bucket. Known once the notification is in place: refer to it from resources that must not write earlier, because S3 sends
    no events for existing objects.
  EOT
  value       = aws_s3_bucket_notification.bucket.bucket
}

output "rules" {
  description = "The rules as S3 holds them, by id (`<kind>:<key>:<suffix>`): kind, target_arn, events, filter_prefix, filter_suffix."
  value = {
    for id, rule in local.rules : id => {
      kind          = rule.kind
      target_arn    = rule.target_arn
      events        = rule.events
      filter_prefix = rule.filter_prefix
      filter_suffix = rule.filter_suffix
    }
  }
}
