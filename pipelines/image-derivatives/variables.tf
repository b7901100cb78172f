variable "name_prefix" {
  description = "First part of every resource name; the pipeline adds `-image`."
  type        = string
  nullable    = false

  validation {
    condition = length("${var.name_prefix}-image-${local.account_id}-${local.region}") <= 63
    error_message = join(" ", [
      "The bucket name ${var.name_prefix}-image-${local.account_id}-${local.region} has more than the 63 characters of S3: shorten",
      "name_prefix.",
    ])
  }
  validation {
    condition = !can(regex("^(aws|ssm|xn--|sthree-|amzn-s3-demo-)", "${var.name_prefix}-"))
    error_message = join(" ", [
      "name_prefix must not begin with aws or ssm, which Systems Manager reserves for its parameters, nor with xn--, sthree- or",
      "amzn-s3-demo-, which S3 reserves.",
    ])
  }
}

variable "package" {
  description = <<-EOT
    Package of `create_image_derivative` as `build.sh` lists it in its manifest: path of the zip, Lambda handler, content hash (base64
    SHA-256), size in bytes, the runtime and architecture it was built for, and what it was built with by choice (`extras`: `heic`).
  EOT
  type = object({
    path         = string
    handler      = string
    content_hash = string
    size_bytes   = number
    runtime      = string
    architecture = string
    extras       = optional(set(string), [])
  })
  nullable = false
}

variable "code_bucket" {
  description = "Existing bucket through which the package is deployed. Null uploads the zip directly."
  type = object({
    name   = string
    prefix = optional(string, "")
  })
  default = null
}

variable "source_bucket" {
  description = <<-EOT
    An existing bucket as the source, instead of one that the pipeline creates. It is not changed, and keeps its notification:
    - `name`, `further`: the bucket, and more buckets of the same account.
    - `account_id`: the account of the bucket, which is in this region; null is this account.
    - `via`: `eventbridge`, by rules of this pipeline, for which the owner enables EventBridge notifications of the bucket; or `s3`,
      by rules that the owner adds to its notification configuration.
    - `kms_key_arn`: the customer managed key that its objects are encrypted with.

    What its owner has to do is in the output `pipeline.source`; modules/source-bucket describes it.
  EOT
  type = object({
    name        = string
    further     = optional(set(string), [])
    account_id  = optional(string)
    via         = optional(string, "eventbridge")
    kms_key_arn = optional(string)
  })
  default = null
}

variable "derivatives" {
  description = <<-EOT
    Derivatives to make from every picture, by name: the box in pixels that the result fits into (`contain`, aspect ratio kept) or fills
    (`cover`: the excess is cropped, and `position` says which part stays), never enlarged; its `format` (`auto` is WebP for transparent
    pictures, otherwise JPEG, and adds no suffix to keys); `quality` from 1 to 95 (null: 82 for JPEG, 80 for WebP, 60 for AVIF);
    `background` as #rrggbb behind transparent areas (null: transparency stays if the format has it, and JPEG gets white); and
    `cache_control` of its objects. Each has a separate queue, dead-letter queue and function, and writes below `derived/<name>/`. Changed
    settings show in a plan as a new `settings_id` in the output `pipeline`, once for each prefix whose derivatives are made again when
    their uploads are replayed.
  EOT
  type = map(object({
    max_width     = number
    max_height    = number
    format        = optional(string, "jpeg")
    quality       = optional(number)
    fit           = optional(string, "contain")
    position      = optional(string, "centre")
    background    = optional(string)
    cache_control = optional(string, "public, max-age=300")
  }))
  default = {
    thumbnail = { max_width = 128, max_height = 128 }
    mobile    = { max_width = 640, max_height = 640 }
  }
  nullable = false

  validation {
    condition     = length(var.derivatives) > 0
    error_message = "derivatives must name at least one derivative, for example { thumbnail = { max_width = 128, max_height = 128 } }."
  }
  validation {
    condition = alltrue([for name in keys(var.derivatives) : can(regex("^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$", name))])
    error_message = join(" ", [
      "Names in derivatives must be 1 to 20 lower-case letters, digits and inner hyphens: they become parts of queue, function and key",
      "names.",
    ])
  }
  validation {
    condition = alltrue([
      for derivative in values(var.derivatives) : alltrue([
        for side in [derivative.max_width, derivative.max_height] : side >= 1 && side <= 8192 && floor(side) == side
      ])
    ])
    error_message = "max_width and max_height in derivatives must be whole numbers of pixels from 1 to 8192."
  }
  validation {
    condition = alltrue([
      for derivative in values(var.derivatives) : contains(["jpeg", "webp", "avif", "png", "auto"], derivative.format)
    ])
    error_message = "format in derivatives must be \"jpeg\", \"webp\", \"avif\", \"png\" or \"auto\"."
  }
  validation {
    condition = alltrue([
      for derivative in values(var.derivatives) : derivative.quality == null ? true : (
        derivative.format != "png" && derivative.quality >= 1 && derivative.quality <= 95 && floor(derivative.quality) == derivative.quality
      )
    ])
    error_message = "quality in derivatives must be a whole number from 1 to 95, or null; PNG has none."
  }
  validation {
    condition = alltrue([
      for derivative in values(var.derivatives) : contains(["contain", "cover"], derivative.fit) && contains(
        ["centre", "top", "bottom", "left", "right", "top-left", "top-right", "bottom-left", "bottom-right"], derivative.position
      )
    ])
    error_message = join(" ", [
      "fit in derivatives must be \"contain\" or \"cover\", and position one of centre, top, bottom, left, right, top-left, top-right,",
      "bottom-left, bottom-right.",
    ])
  }
  validation {
    condition     = alltrue([for derivative in values(var.derivatives) : derivative.fit == "cover" || derivative.position == "centre"])
    error_message = "position in derivatives has an effect only with fit = \"cover\": set that, or leave position out."
  }
  validation {
    condition = alltrue([
      for derivative in values(var.derivatives) :
      derivative.background == null ? true : can(regex("^#[0-9a-fA-F]{6}$", derivative.background))
    ])
    error_message = "background in derivatives must be a colour such as \"#ffffff\", or null."
  }
  validation {
    condition = alltrue([
      for derivative in values(var.derivatives) : can(regex("^[!-~]([ -~]{0,198}[!-~])?$", derivative.cache_control))
    ])
    error_message = "cache_control in derivatives must be 1 to 200 printable ASCII characters, for example \"public, max-age=300\"."
  }
}

variable "extensions" {
  description = <<-EOT
    File name extensions, without the dot and in lower case, whose uploads start the pipeline, in whatever letter case they are written.
    The format is detected by content; extensions only select events. `event-pipelines reconcile image-derivatives` lists files that no
    rule matches. An empty set is the same as `suffixes = "all"`, with which extensions do not count.
  EOT
  type        = set(string)
  default     = ["jpg", "jpeg", "png", "webp", "gif", "avif"]
  nullable    = false

  validation {
    condition     = alltrue([for extension in var.extensions : can(regex("^[a-z0-9]{1,5}$", extension))])
    error_message = "extensions must be 1 to 5 lower-case letters and digits without the dot, for example \"jpg\"."
  }
}

variable "suffixes" {
  description = <<-EOT
    Which uploads below the source prefix start the pipeline: `extensions`, those that end in one of `extensions`; or `all`, by one rule:
    uploads that are not pictures then cause a rejection record, also with other names (`.jfif`, `.heic`, none).
  EOT
  type        = string
  default     = "extensions"
  nullable    = false

  validation {
    condition     = contains(["extensions", "all"], var.suffixes)
    error_message = "suffixes must be \"extensions\" or \"all\"."
  }
}

variable "allowed_formats" {
  description = <<-EOT
    Image formats that are decoded, by Pillow's names; anything else causes a rejection record. TIFF is supported but off by default; HEIC
    needs a package that was built with it (`build.sh --with heic`).
  EOT
  type        = set(string)
  default     = ["JPEG", "PNG", "WEBP", "GIF", "AVIF"]
  nullable    = false

  validation {
    condition = (
      length(var.allowed_formats) > 0
      && length(setsubtract(var.allowed_formats, ["JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF", "HEIC"])) == 0
    )
    error_message = "allowed_formats must be some of JPEG, PNG, WEBP, GIF, AVIF, TIFF, HEIC."
  }
  validation {
    condition = !contains(var.allowed_formats, "HEIC") || contains(var.package.extras, "heic")
    error_message = join(" ", [
      "allowed_formats has HEIC, and the package was built without",
      "its decoder: run ./build.sh --with heic, or leave HEIC out.",
    ])
  }
}

variable "limits" {
  description = <<-EOT
    The largest upload that is decoded, in pixels and in bytes, and its shortest side in pixels; anything beyond causes a rejection
    record. The function's memory may lower the limits.
  EOT
  type = object({
    max_pixels       = optional(number, 200000000)
    max_source_bytes = optional(number, 50000000)
    min_side         = optional(number, 1)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for limit in [
        { value = var.limits.max_pixels, most = 1000000000 },
        { value = var.limits.max_source_bytes, most = 400000000 },
        { value = var.limits.min_side, most = 8192 },
      ] : limit.value >= 1 && limit.value <= limit.most && floor(limit.value) == limit.value
    ])
    error_message = join(" ", [
      "limits must be whole numbers: max_pixels from 1 to 1000000000, max_source_bytes from 1 to 400000000 (files are kept in the",
      "function's temporary storage of 512 MB), min_side from 1 to 8192.",
    ])
  }
}

variable "tolerate" {
  description = <<-EOT
    Damage for which a derivative is made nevertheless: `truncated`, missing last rows, a wrong checksum or a missing end marker, if
    nine tenths of the rows can be decoded (the derivative then carries `repaired` in its metadata, and the metric `Repaired` counts
    it); or `nothing`, which records a rejection instead.
  EOT
  type        = string
  default     = "truncated"
  nullable    = false

  validation {
    condition     = contains(["truncated", "nothing"], var.tolerate)
    error_message = "tolerate must be \"truncated\" or \"nothing\"."
  }
}

variable "source_prefix" {
  description = "Key prefix whose uploads start the pipeline."
  type        = string
  default     = "ingest/"
  nullable    = false

  validation {
    condition = can(regex("^[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*/$", var.source_prefix))
    error_message = join(" ", [
      "source_prefix must be a folder-like prefix that ends with a",
      "slash and does not start with one, for example \"ingest/\".",
    ])
  }
}

variable "output_prefix" {
  description = "Key prefix below which each derivative has its own folder."
  type        = string
  default     = "derived/"
  nullable    = false

  validation {
    condition = can(regex("^[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*/$", var.output_prefix))
    error_message = join(" ", [
      "output_prefix must be a folder-like prefix that ends with a",
      "slash and does not start with one, for example \"derived/\".",
    ])
  }
  validation {
    condition = !startswith(var.output_prefix, var.source_prefix) && !startswith(var.source_prefix, var.output_prefix)
    error_message = join(" ", [
      "output_prefix must lie outside source_prefix (${var.source_prefix}) and not contain it: the functions' output would trigger them",
      "again.",
    ])
  }
}

variable "rejections_prefix" {
  description = "Key prefix below which a JSON record is written for every upload that can never become a derivative."
  type        = string
  default     = "rejections/"
  nullable    = false

  validation {
    condition = can(regex("^[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*/$", var.rejections_prefix))
    error_message = join(" ", [
      "rejections_prefix must be a folder-like prefix that ends with a",
      "slash and does not start with one, for example \"rejections/\".",
    ])
  }
  validation {
    condition = !startswith(var.rejections_prefix, var.source_prefix) && !startswith(var.source_prefix, var.rejections_prefix)
    error_message = join(" ", [
      "rejections_prefix must lie outside source_prefix (${var.source_prefix}) and not contain it: the functions' output would trigger",
      "them again.",
    ])
  }
  validation {
    condition     = !startswith(var.output_prefix, var.rejections_prefix) && !startswith(var.rejections_prefix, var.output_prefix)
    error_message = "output_prefix (${var.output_prefix}) and rejections_prefix (${var.rejections_prefix}) must not lie inside each other."
  }
}

variable "lifecycle_days" {
  description = <<-EOT
    Days after which uploads below the source prefix expire (`ingest`, 30 unless `lifecycle_days` is given; null, or left out of what is
    given, keeps them permanently), older versions are deleted (`noncurrent`), unfinished multipart uploads are aborted
    (`incomplete_upload`) and rejection records expire (`rejections`).
  EOT
  type = object({
    # No default: Terraform would replace an explicit null by it.
    ingest            = optional(number)
    noncurrent        = optional(number, 1)
    incomplete_upload = optional(number, 1)
    rejections        = optional(number, 90)
  })
  default  = { ingest = 30 }
  nullable = false

  validation {
    condition     = alltrue([for days in values(var.lifecycle_days) : days == null ? true : days >= 1 && floor(days) == days])
    error_message = "lifecycle_days must be whole numbers of days, 1 or more; ingest may be null."
  }
}

variable "function" {
  description = <<-EOT
    Size of each derivative's function: memory in MB (which limits the pictures that it accepts: it rejects larger ones), timeout in
    seconds, messages per invocation, and how many may run at once (null: as many as the account allows).
  EOT
  type = object({
    memory_size_mb      = optional(number, 1024)
    timeout_seconds     = optional(number, 60)
    batch_size          = optional(number, 5)
    maximum_concurrency = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition = var.function.memory_size_mb >= 512
    error_message = join(" ", [
      "function.memory_size_mb must be at least 512: with less the function",
      "cannot decode ordinary photographs and refuses to start.",
    ])
  }
}

variable "max_receive_count" {
  description = "Receives of a message before it moves to the dead-letter queue."
  type        = number
  default     = 5
  nullable    = false
}

variable "email_subscribers" {
  description = "E-mail addresses that receive every upload notification. AWS asks each to confirm first; the message is the event's JSON."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.email_subscribers) == 0 || try(var.source_bucket.via, "s3") == "s3"
    error_message = "With source_bucket.via = \"eventbridge\" events do not use the topic: email_subscribers would receive nothing."
  }
}

variable "late_after_seconds" {
  description = <<-EOT
    Target of the pipeline: seconds within which the derivatives of a picture are made. With `alarm`, a message that has waited
    longer triggers an alarm.
  EOT
  type        = number
  default     = 900
  nullable    = false

  validation {
    condition = (
      var.late_after_seconds >= 60 && var.late_after_seconds < 345600
      && floor(var.late_after_seconds) == var.late_after_seconds
    )
    error_message = join(" ", [
      "late_after_seconds must be a whole number from 60 (CloudWatch evaluates once a minute) to 345599 (the queue deletes messages",
      "after four days).",
    ])
  }
}

variable "alarm" {
  description = <<-EOT
    Where alarms are sent: on dead letters, pictures that wait too long, rejections, errors and throttles. `rejections` is the
    number of rejections within five minutes that triggers an alarm. Null creates none.
  EOT
  type = object({
    actions    = list(string)
    rejections = optional(number, 1)
  })
  default = null

  validation {
    condition     = var.alarm == null ? true : var.alarm.rejections >= 1
    error_message = "alarm.rejections must be 1 or more: at 0 it would always be in ALARM."
  }
}

variable "kms_key" {
  description = <<-EOT
    Encrypts objects, messages, logs and the functions' environment with this customer managed key, whose policy must let the
    services in `key_sources` and CloudWatch Logs use it. Null uses keys of AWS.
  EOT
  type = object({
    arn = string
  })
  default = null

  validation {
    condition = (
      var.kms_key == null
      ? true
      : can(regex(
        "^arn:[a-z0-9-]+:kms:${lookup(data.aws_region.current, "region", data.aws_region.current.id)}:[0-9]{12}:key/[A-Za-z0-9-]+$",
        var.kms_key.arn
      ))
    )
    error_message = join(" ", [
      "kms_key.arn must be the key ARN (arn:...:key/...) of a customer managed key in",
      "${lookup(data.aws_region.current, "region", data.aws_region.current.id)}, not an alias: permissions on an alias grant nothing.",
    ])
  }
}

variable "log_retention_days" {
  description = "Days for which the functions' logs are kept."
  type        = number
  default     = 14
  nullable    = false
}

variable "force_destroy_bucket" {
  description = "Lets `terraform destroy` delete the bucket with the objects in it."
  type        = bool
  default     = false
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = <<-EOT
    ARN of the IAM policy that is the permissions boundary of every role of the pipeline. Null sets no boundary.
  EOT
  type        = string
  default     = null
}

variable "iam_path" {
  description = "IAM path of the pipeline's roles, for accounts that allow them below one path only. A change replaces roles and policies."
  type        = string
  default     = "/"
  nullable    = false
}

variable "vpc" {
  description = <<-EOT
    Puts the functions into a VPC, from which they reach other services through endpoints (docs/security.md has the list) or a NAT
    gateway only; null leaves them outside:
    - `subnet_ids`: 1 to 16 of one VPC, in two or more availability zones.
    - `security_group_ids`: 1 to 5 of the same VPC.
    - `ipv6`: whether they reach IPv6 addresses as well; every subnet needs an IPv6 CIDR block.
  EOT
  type = object({
    subnet_ids         = set(string)
    security_group_ids = set(string)
    ipv6               = optional(bool, false)
  })
  default = null
}

variable "trust_source_account" {
  description = <<-EOT
    Whether the trust policies of the functions' roles require that `aws:SourceAccount` is this account, as in AWS's samples. Set it
    to false if Lambda cannot assume the roles, so that functions do not run or queues are not polled.
  EOT
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags added to every resource of the pipeline."
  type        = map(string)
  default     = {}
  nullable    = false
}
