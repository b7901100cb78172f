output "topic_arn" {
  description = "ARN of the topic. It depends on the topic and its policy, as a bucket notification must."
  # The composed ARN is known in the first plan; depends_on adds the dependency that the resource's own ARN has.
  value      = local.topic_arn
  depends_on = [aws_sns_topic.topic]
}

output "topic_arn_static" {
  description = <<-EOT
    ARN of the topic composed from its name, without a dependency: for the `senders` of the queues that the topic subscribes, where
    `topic_arn` would be a cycle.
  EOT
  value       = local.topic_arn
}

output "topic_name" {
  description = "Name of the topic."
  value       = aws_sns_topic.topic.name
}

output "subscription_arns" {
  description = "ARNs of the queues' subscriptions, by the keys of `subscriptions`."
  value       = { for name, subscription in aws_sns_topic_subscription.queue : name => subscription.arn }
}
