"""An example of each command, as its help and the documentation show it."""

_LINES = """
local up: local up --port 4566
local down: local down
local status: local status --json
local demo: local demo --photo holiday.jpg --keep
audit tail: audit tail --since 2h --follow
audit summary: audit summary --since 7d --region eu-west-1
imports start: imports start customers.csv --watch
imports watch: imports watch 01998f2a5c3e4b7d
imports cancel: imports cancel 01998f2a5c3e4b7d
imports list: imports list
imports show: imports show 01998f2a5c3e4b7d --json
imports rejections: imports rejections 01998f2a5c3e4b7d > fix-these.csv
imports rows: imports rows 01998f2a5c3e4b7d --json
tenants create-group: tenants create-group gold --queue-mode shared_fair
tenants create: tenants create --from tenants.csv
tenants list: tenants list --group gold
tenants show: tenants show acme
tenants suspend: tenants suspend acme --dry-run
tenants resume: tenants resume acme
tenants verify: tenants verify acme --repair
tenants delete: tenants delete acme --dry-run
tenants delete-group: tenants delete-group gold --dry-run
tenants put-file: tenants put-file acme orders.csv --as 2026/orders.csv
tenants quarantine list: tenants quarantine list --limit 20
tenants quarantine release: tenants quarantine release acme
items put: items put lamp.json --id lamp-1
items status: items status lamp-1
items serve: items serve --output items --port 9464
queues list: queues list --prefix acme
queues peek: queues peek image-thumbnail-dlq --count 3
queues redrive: queues redrive image-thumbnail-dlq --rate 10/s
queues purge: queues purge image-thumbnail-dlq --yes
reconcile: reconcile image-derivatives --since 2d --json > missing.json
replay: replay image-derivatives --from missing.json --rate 20/s
status: status --watch --interval 30s
trace: trace s3://BUCKET/ingest/cat.jpg
console: console --allow-changes --since 2h
smoke: smoke --timeout 3m --json
plan-review: plan-review plan.json --fail-on destroy:aws_s3_bucket
preflight: preflight --plan plan.json --region eu-west-1
capacity: capacity --plan plan.json --rate 500/s --backlog 10000000
"""

EXAMPLES = {
    f"event-pipelines {command}": f"event-pipelines {example}"
    for line in _LINES.strip().split("\n")
    for command, _, example in [line.partition(": ")]
}
