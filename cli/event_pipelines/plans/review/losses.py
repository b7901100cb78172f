"""What is lost when Terraform destroys a resource, and why it destroys it."""

from collections.abc import Callable, Mapping
from typing import Any

from event_pipelines.plans.review.plan import Change
from event_pipelines.plans.review.plan_values import natural, spoken

Values = Mapping[str, Any]


def _bucket(values: Values) -> str:
    if values.get("force_destroy") is True:
        return "every object in the bucket, with all its versions (`force_destroy` is on)"
    return (
        "its notifications and settings; the apply fails while an object is in it"
        " (`force_destroy` is off)"
    )


def _table(values: Values) -> str:
    if values.get("deletion_protection_enabled") is True:
        return "every item of the table; the apply fails, for deletion protection is on"
    return "every item of the table, and its point-in-time recovery but for a last 35-day backup"


def _log_group(values: Values) -> str:
    if values.get("skip_destroy") is True:
        return "nothing: the log group stays in AWS and leaves Terraform (`skip_destroy` is on)"
    return "every log line in the group"


def _key(values: Values) -> str:
    days = values.get("deletion_window_in_days") or 30
    return f"in {days} days, all that is encrypted with this key and nothing else"


def _database(values: Values) -> str:
    if values.get("deletion_protection") is True:
        return "every row; the apply fails, for deletion protection is on"
    if values.get("skip_final_snapshot") is True:
        return "every row, without a final snapshot (`skip_final_snapshot` is on)"
    return "every row but for the final snapshot"


def _secret(values: Values) -> str:
    days = values.get("recovery_window_in_days")
    if days == 0:
        return "the secret and all its versions, at once"
    return f"the secret and all its versions; it can be restored for {days or 30} days"


# Types whose data or messages are lost permanently, in the order of the review.
_DATA: Mapping[str, str | Callable[[Values], str]] = {
    "aws_s3_bucket": _bucket,
    "aws_dynamodb_table": _table,
    "aws_db_instance": _database,
    "aws_rds_cluster": _database,
    "aws_docdb_cluster": _database,
    "aws_neptune_cluster": _database,
    "aws_redshift_cluster": _database,
    "aws_efs_file_system": "every file in it",
    "aws_ebs_volume": "every block on the volume",
    "aws_instance": "what is on its instance store and on volumes deleted with it",
    "aws_kms_key": _key,
    "aws_sqs_queue": "every message in the queue, and those sent to it {until}",
    "aws_kinesis_stream": "every record in the stream, and where its readers were",
    "aws_kinesis_firehose_delivery_stream": "every record it has not delivered yet",
    "aws_msk_cluster": "every record in every topic",
    "aws_mq_broker": "every message in the broker",
    "aws_elasticache_cluster": "every entry of the cache",
    "aws_elasticache_replication_group": "every entry of the cache",
    "aws_opensearch_domain": "every index and document",
    "aws_ecr_repository": "every image in it",
    "aws_cloudwatch_log_group": _log_group,
    "aws_secretsmanager_secret": _secret,
    "aws_ssm_parameter": "the value and its history",
    "aws_s3_object": "the object; in a versioned bucket its older versions stay",
    "aws_s3_object_copy": "the copy; in a versioned bucket its older versions stay",
    "aws_dynamodb_table_item": "the item",
    "aws_cognito_user_pool": "every user and group",
    "aws_sfn_state_machine": "every run that is under way",
    "aws_backup_vault": "every recovery point that the vault still holds",
}
# Types that lose no stored data, but interrupt something or need work afterwards.
_EFFECTS: Mapping[str, str] = {
    "aws_sns_topic": "what is published {until}, what SNS is still retrying, and every"
    " subscription, those of others too; email subscribers must confirm again",
    "aws_sns_topic_subscription": "what is published {until}; an email or HTTP subscriber"
    " must confirm again",
    "aws_s3_bucket_notification": "the events of objects written {until}: S3 sends nothing later",
    "aws_lambda_event_source_mapping": "no message: nothing is read from the source {until}, and"
    " messages wait as long as its retention lets them",
    "aws_lambda_function": "its versions and aliases, and asynchronous calls {until};"
    " messages in queues wait",
    "aws_lambda_permission": "calls of the service it admits, {until}",
    "aws_lambda_alias": "calls by this alias, {until}",
    "aws_lambda_layer_version": "the version for functions yet to be made; those that use it stay",
    "aws_cloudwatch_event_rule": "events and schedules that match {until}",
    "aws_cloudwatch_event_target": "events for this target {until}",
    "aws_cloudwatch_metric_alarm": "the alarm's history, and its warnings {until}",
    "aws_iam_role": "running work of whoever assumed it; policies of others that name it stop"
    " to match, also when a role of the same name comes back",
    "aws_iam_user": "its access keys and passwords",
    "aws_iam_access_key": "access with this key",
    "aws_sqs_queue_policy": "the permission of senders {until}: what they send is refused",
    "aws_sns_topic_policy": "the permission of publishers {until}: what they publish is refused",
    "aws_s3_bucket_policy": "what the policy allows and denies, {until}",
    "terraform_data": "nothing outside Terraform's state",
    "null_resource": "nothing outside Terraform's state",
    "aws_kms_alias": "calls that name the key by this alias, {until}",
}
_GENERIC = "whatever it holds that the configuration does not say"
_DATA_ORDER = {name: position for position, name in enumerate(_DATA)}

_REASONS: Mapping[str, str] = {
    "delete_because_no_resource_config": "it is no longer in the configuration",
    "delete_because_no_module": "its module is no longer in the configuration",
    "delete_because_wrong_repetition": "it gained or lost its count or for_each",
    "delete_because_count_index": "count no longer reaches its index",
    "delete_because_each_key": "for_each no longer has its key",
    "delete_because_no_move_target": "it was moved to an address that is not in the configuration",
    "replace_because_tainted": "it is tainted: its last creation did not finish",
    "replace_because_cannot_update": "it cannot be updated in place",
    "replace_by_request": "asked for with -replace",
    "replace_by_triggers": "replace_triggered_by names something that changes",
}


def lost(change: Change) -> str:
    """Returns what is lost with the resource, as the words after "lost:"."""
    values = change.before if isinstance(change.before, dict) else {}
    found = _DATA.get(change.type)
    if callable(found):
        return found(values)
    sentence = found or _EFFECTS.get(change.type) or _GENERIC
    if change.action == "replace":
        return sentence.format(until="until the new one is there")
    return sentence.format(until="from then on")


def gravity(change: Change) -> tuple[Any, ...]:
    """Sort key: first resources that lose data, then those that interrupt, then others."""
    if change.type in _DATA_ORDER:
        return (0, _DATA_ORDER[change.type], natural(change.address))
    return (1 if change.type in _EFFECTS else 2, 0, natural(change.address))


def why(change: Change) -> str | None:
    """Returns why Terraform destroys the resource; None if the plan does not say."""
    if change.deposed:
        return "a replacement before this plan left it behind"
    reason = change.reason
    if reason is None:
        return None
    return _REASONS.get(reason, spoken(reason))
