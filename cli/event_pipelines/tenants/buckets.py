"""A group's bucket: private, versioned, encrypted, TLS only, and its notification.

Settings that protect the data must be exactly so. What operators add beside them (tags, life cycle
rules, notification rules) is kept.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from event_pipelines.contracts.tenant_keys import REJECTED_TAG
from event_pipelines.errors import Unfinished, UserError
from event_pipelines.pipelines.retries import persist
from event_pipelines.pipelines.tenant_platform import Platform
from event_pipelines.stack import error_code, ignoring
from event_pipelines.tenants import policies
from event_pipelines.tenants.steps import MISSING, Step, canonical, refuse_foreign, tag_faults

# The only region that S3 does not accept as a LocationConstraint.
_UNNAMED_REGION = "us-east-1"
# Conflicts with other calls are over within this time.
_CONFLICT_SECONDS = 60
# S3 refuses a change while another one of the same bucket or key is under way; a response to HEAD
# has no body that could name the conflict, only the status 409.
_CONFLICTS = ("OperationAborted", "ConflictException", "ConditionalRequestConflict", "409")

_EVENTS = ["s3:ObjectCreated:*"]
_NOTIFICATION_ID = "event-pipelines-tenants"
_RULES = _REMOVE_LEFTOVERS, _EXPIRE_REJECTED = (
    "event-pipelines-remove-leftovers",
    "event-pipelines-expire-rejected",
)


@dataclass(frozen=True)
class Bucket(Step):
    """A step: the bucket itself."""

    platform: Platform
    name: str
    tags: Mapping[str, str]

    @property
    def what(self) -> str:
        return f"bucket {self.name}"

    @property
    def at(self) -> Any:
        """Parameters that name the bucket; S3 refuses the call if it is another account's."""
        return {"Bucket": self.name, "ExpectedBucketOwner": self.platform.names.account_id}

    def call(self, operation: str, **request: Any) -> Any:
        """Returns the response of S3 to an operation on the bucket. Retries for 60 s on conflicts:
        with another change, or with a bucket, queue or removal that has not propagated yet."""
        named = self.at if operation != "create_bucket" else {"Bucket": self.name}
        return persist(
            lambda: getattr(self.platform.s3, operation)(**named, **request),
            lambda error: self._transient(operation, error),
            _CONFLICT_SECONDS,
            lambda: self.platform.say(
                f"S3 does not take {operation} of {self.what} yet, which is being made, changed or"
                " deleted: waiting"
            ),
        )

    def _transient(self, operation: str, error: ClientError) -> bool:
        code = error_code(error)
        if code == "NoSuchBucket":
            # Settings are put after the creation, which has not propagated yet.
            return operation.startswith("put_")
        if code == "BucketNotEmpty":
            left = self.call("list_object_versions", MaxKeys=1)
            return not (left.get("Versions") or left.get("DeleteMarkers"))
        return code in _CONFLICTS or _destination_unknown(error)

    def faults(self) -> list[str]:
        try:
            return [] if self.exists() else [MISSING]
        except UserError as error:
            return [str(error)]

    def exists(self) -> bool:
        """Whether the bucket exists. Raises UserError if it is another account's or denied."""
        try:
            self.call("head_bucket")
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == 404:
                return False
            if status == 403:
                raise UserError(
                    f"The bucket {self.name} is there and S3 denies access to it: either it is"
                    " another account's, then choose another group name, or these credentials"
                    " lack s3:ListBucket on it."
                ) from error
            raise
        return True

    def make(self) -> None:
        if self.exists():
            return
        region = self.platform.names.region
        place: Any = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self.call("create_bucket", **({} if region == _UNNAMED_REGION else place))
        except ClientError as error:
            if error_code(error) == "BucketAlreadyExists":
                raise UserError(
                    f"The bucket {self.name} is another account's: choose another group name."
                ) from error
            # Another process created it meanwhile.
            if error_code(error) != "BucketAlreadyOwnedByYou":
                raise

    def remove(self) -> None:
        """Deletes the bucket. Raises Unfinished if something has been put into it meanwhile."""
        try:
            self.call("delete_bucket")
        except ClientError as error:
            if error_code(error) == "BucketNotEmpty":
                raise Unfinished(
                    f"Something was put into the {self.what} while it was being deleted: run the"
                    " command again."
                ) from error
            if error_code(error) != "NoSuchBucket":
                raise


def _compare(found: Any, wanted: Any) -> list[str]:
    if canonical(found) == canonical(wanted):
        return []
    return [f"is {json.dumps(found, default=str)}"]


@dataclass(frozen=True)
class Setting(Step):
    """A step: one setting of a bucket.

    `read` returns the present value in the form of `wanted`, or None; `write` sets `wanted`.
    `compare` returns the differences of the present value from `wanted`.
    """

    bucket: Bucket
    label: str
    wanted: Any
    read: Callable[[], Any]
    write: Callable[[], object]
    compare: Callable[[Any, Any], list[str]] = _compare

    @property
    def what(self) -> str:
        return f"{self.label} of bucket {self.bucket.name}"

    def faults(self) -> list[str]:
        found = self.read()
        return [MISSING] if found is None else self.compare(found, self.wanted)

    def make(self) -> None:
        self.write()


def settings(bucket: Bucket) -> list[Step]:
    """Returns the steps for all settings of a group's bucket, except its notification."""
    call = bucket.call
    blocked: Any = {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    owned: Any = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    encryption = _encryption(bucket.platform.settings.kms_key_arn)
    encrypted: Any = {"Rules": [encryption]}
    arn = f"arn:{bucket.platform.names.partition}:s3:::{bucket.name}"
    policy = policies.of_bucket(bucket.platform.names, bucket.platform.settings.access, arn)
    rules = _lifecycle_rules(bucket.platform)

    def setting(
        label: str, wanted: Any, read: Callable[[], Any], write: Callable[[], object], *gone: str
    ) -> Setting:
        return Setting(bucket, label, wanted, lambda: _read(read, *gone), write)

    return [
        # Tags come first: they may show that the bucket is not this group's.
        Tags(bucket),
        setting(
            "public access block",
            blocked,
            lambda: call("get_public_access_block")["PublicAccessBlockConfiguration"],
            lambda: call("put_public_access_block", PublicAccessBlockConfiguration=blocked),
            "NoSuchPublicAccessBlockConfiguration",
        ),
        setting(
            "ownership",
            owned,
            lambda: call("get_bucket_ownership_controls")["OwnershipControls"],
            lambda: call("put_bucket_ownership_controls", OwnershipControls=owned),
            "OwnershipControlsNotFoundError",
        ),
        setting(
            "versioning",
            "Enabled",
            lambda: call("get_bucket_versioning").get("Status"),
            lambda: call("put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"}),
        ),
        Setting(
            bucket,
            "encryption",
            [encryption],
            lambda: _read_encryption(bucket),
            lambda: call("put_bucket_encryption", ServerSideEncryptionConfiguration=encrypted),
        ),
        Setting(
            bucket,
            "policy",
            policy,
            lambda: _read(
                lambda: json.loads(call("get_bucket_policy")["Policy"]), "NoSuchBucketPolicy"
            ),
            lambda: call("put_bucket_policy", Policy=json.dumps(policy)),
            policies.differences,
        ),
        Setting(
            bucket,
            "life cycle rules",
            rules,
            lambda: [rule for rule in _lifecycle(bucket)[0] if rule["ID"] in _RULES] or None,
            lambda: _merge_lifecycle(bucket, rules),
        ),
    ]


@dataclass(frozen=True)
class Tags(Step):
    """A step: the bucket's tags; other tags are kept."""

    bucket: Bucket

    @property
    def what(self) -> str:
        return f"tags of bucket {self.bucket.name}"

    def faults(self) -> list[str]:
        found = read_tags(self.bucket)
        return [MISSING] if found is None else tag_faults(found, self.bucket.tags)

    def make(self) -> None:
        found = read_tags(self.bucket) or {}
        refuse_foreign(self.bucket.what, found, self.bucket.tags)
        merged = {k: v for k, v in found.items() if not k.startswith("aws:")} | dict(
            self.bucket.tags
        )
        self.bucket.call(
            "put_bucket_tagging",
            Tagging={"TagSet": [{"Key": name, "Value": value} for name, value in merged.items()]},
        )


@dataclass(frozen=True)
class Notification(Step):
    """A step: S3 sends an event to the queue for every new object.

    S3 keeps one configuration per bucket and replaces it whole, so the rules of others are read and
    written back with ours. It offers no conditional write: a concurrent change of the rules of the
    same bucket can be lost.
    """

    bucket: Bucket
    queue: str

    @property
    def what(self) -> str:
        return f"notification of bucket {self.bucket.name}"

    def faults(self) -> list[str]:
        found = self._found()
        ours = self._ours(found) if found else []
        if not ours:
            return [MISSING]
        if len(ours) > 1:
            return [f"there are {len(ours)} rules for queue {self.queue}"]
        return [] if _rule_form(ours[0]) == _rule_form(self._rule()) else [f"is {ours[0]}"]

    def make(self) -> None:
        found = self._found() or {}
        others = self._others(found)
        changed = found | {"QueueConfigurations": [*others, self._rule()]}
        try:
            self._write(changed)
        except ClientError as error:
            if error_code(error) != "InvalidArgument":
                raise
            rules = [rule.get("Id", "?") for kind in found.values() for rule in _rules(kind)]
            foreign = ", ".join(rule for rule in rules if rule != _NOTIFICATION_ID) or "none"
            raise UserError(
                f"S3 refuses the {self.what} ({error.response['Error']['Message']}), which has to"
                f" stand beside the rules of others (ids: {foreign}): remove the one that also"
                " covers s3:ObjectCreated:*, or whose target is gone."
            ) from error

    def remove(self) -> None:
        found = self._found()
        if found and self._ours(found):
            self._write(found | {"QueueConfigurations": self._others(found)})

    def _found(self) -> dict[str, Any] | None:
        found: Any = _read(lambda: self.bucket.call("get_bucket_notification_configuration"))
        if found is None:
            return None
        return {name: value for name, value in found.items() if name != "ResponseMetadata"}

    def _write(self, configuration: Any) -> None:
        self.bucket.call(
            "put_bucket_notification_configuration", NotificationConfiguration=configuration
        )

    def _ours(self, found: Mapping[str, Any]) -> list[Any]:
        return [rule for rule in found.get("QueueConfigurations", []) if self._is_ours(rule)]

    def _others(self, found: Mapping[str, Any]) -> list[Any]:
        return [rule for rule in found.get("QueueConfigurations", []) if not self._is_ours(rule)]

    def _is_ours(self, rule: Mapping[str, Any]) -> bool:
        return rule.get("Id") == _NOTIFICATION_ID or rule["QueueArn"] == self._rule()["QueueArn"]

    def _rule(self) -> dict[str, Any]:
        return {
            "Id": _NOTIFICATION_ID,
            "QueueArn": self.bucket.platform.names.queue_arn(self.queue),
            "Events": _EVENTS,
        }


def _rules(value: Any) -> list[Any]:
    """Returns the rules of one kind; EventBridge has none."""
    return value if isinstance(value, list) else []


def _rule_form(rule: Mapping[str, Any]) -> Any:
    filters = rule.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    filters = [one for one in filters if one.get("Value")]
    return canonical([rule.get("Id"), rule["QueueArn"], rule["Events"], filters])


def _lifecycle_rules(platform: Platform) -> list[dict[str, Any]]:
    terms = platform.settings
    name, value = REJECTED_TAG
    return [
        {
            "ID": _REMOVE_LEFTOVERS,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": terms.noncurrent_version_days},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": terms.incomplete_upload_days},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        },
        {
            "ID": _EXPIRE_REJECTED,
            "Status": "Enabled",
            "Filter": {"Tag": {"Key": name, "Value": value}},
            "Expiration": {"Days": terms.rejected_days},
        },
    ]


def _lifecycle(bucket: Bucket) -> tuple[list[Any], dict[str, Any]]:
    """Returns the rules in a comparable form, and the other parameters of the configuration."""
    found: Any = _read(
        lambda: bucket.call("get_bucket_lifecycle_configuration"), "NoSuchLifecycleConfiguration"
    )
    if found is None:
        return [], {}
    size = "TransitionDefaultMinimumObjectSize"
    # S3 returns an empty filter in several forms.
    rules = [
        rule | ({} if "Prefix" in rule else {"Filter": rule.get("Filter") or {"Prefix": ""}})
        for rule in found["Rules"]
    ]
    return rules, {size: found[size]} if size in found else {}


def _merge_lifecycle(bucket: Bucket, ours: list[Any]) -> None:
    rules, more = _lifecycle(bucket)
    others = [one for one in rules if one["ID"] not in _RULES]
    bucket.call(
        "put_bucket_lifecycle_configuration",
        **more,
        LifecycleConfiguration={"Rules": [*others, *ours]},
    )


def _encryption(kms_key_arn: str | None) -> Any:
    """Returns the rule that modules/private-bucket sets."""
    if kms_key_arn is None:
        return {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    return {
        "ApplyServerSideEncryptionByDefault": {
            "SSEAlgorithm": "aws:kms",
            "KMSMasterKeyID": kms_key_arn,
        },
        "BucketKeyEnabled": True,
    }


def _read_encryption(bucket: Bucket) -> list[Any] | None:
    """Returns the rules with only the fields that `_encryption` sets; None if there are none."""
    found = _read(
        lambda: bucket.call("get_bucket_encryption"),
        "ServerSideEncryptionConfigurationNotFoundError",
    )
    if found is None:
        return None
    rules = found["ServerSideEncryptionConfiguration"]["Rules"]
    names = _encryption(bucket.platform.settings.kms_key_arn)
    return [{name: rule[name] for name in names if name in rule} for rule in rules]


def read_tags(bucket: Bucket) -> dict[str, str] | None:
    """Returns the tags of a bucket; None if it has none, or does not exist."""
    found = _read(lambda: bucket.call("get_bucket_tagging"), "NoSuchTagSet")
    return None if found is None else {tag["Key"]: tag["Value"] for tag in found["TagSet"]}


def _read(read: Callable[[], Any], absent: str = "") -> Any:
    """Returns the result of `read`; None if the setting or the bucket does not exist."""
    with ignoring(absent, "NoSuchBucket"):
        return read()


def _destination_unknown(error: ClientError) -> bool:
    return (
        error_code(error) == "InvalidArgument"
        and "Unable to validate" in error.response["Error"]["Message"]
    )
