"""The verbs around the life of a tenant: list, show, suspend, resume, put-file."""

from pathlib import Path

import boto3
import pytest

from event_pipelines.__main__ import main
from support.tenant_platform import (
    PREFIX,
    SHARED_GROUP,
    TENANT,
    Calls,
    Cloud,
    answer,
    recorded,
    run,
    sentence,
)

RAW = f"{PREFIX}-tenant-acme-raw"


def status(cloud: Cloud) -> str:
    record = cloud.record("tenant", "acme")
    assert record is not None
    return record["Status"]


# -- list, show


def test_groups_and_tenants_by_name(acme: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    run("create-group", "bronze")
    run("create", "abe", "--group", "bronze")

    found = answer(capsys, "list")

    assert [group["GroupName"] for group in found["groups"]] == ["bronze", "gold"]
    assert [tenant["Name"] for tenant in found["tenants"]] == ["abe", "acme"]
    assert found["tenants"][1] == acme.record("tenant", "acme")


def test_list_of_one_group_has_its_tenants_only(
    acme: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    run("create-group", "bronze")
    run("create", "abe", "--group", "bronze")

    found = answer(capsys, "list", "--group", "gold")

    assert found["groups"] == [acme.record("group", "gold")]
    assert [tenant["Name"] for tenant in found["tenants"]] == ["acme"]
    assert "There is no group silver" in sentence(capsys, "list", "--group", "silver")


@pytest.mark.usefixtures("acme")
def test_tenants_list_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    run("list")

    printed = capsys.readouterr().out
    assert RAW in printed
    assert "per_tenant" in printed


def test_a_tenant_and_what_waits_for_it(acme: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    acme.stop_feeding(RAW)
    sqs = boto3.client("sqs")
    for _ in range(3):
        sqs.send_message(QueueUrl=acme.url(RAW), MessageBody="{}")
    sqs.receive_message(QueueUrl=acme.url(RAW), VisibilityTimeout=60)

    shown = answer(capsys, "show", "acme")

    assert shown.keys() - {"stack", "account", "region"} == {"tenant"}
    assert shown["tenant"].pop("Queues") == {
        RAW: {"waiting": 2, "in_flight": 1},
        f"{RAW}-dlq": {"waiting": 0, "in_flight": 0},
    }
    assert shown["tenant"] == acme.record("tenant", "acme")
    capsys.readouterr()
    run("show", "acme")
    assert f"{RAW}: 2 waiting, 1 in flight" in capsys.readouterr().out


@pytest.mark.usefixtures("cloud")
def test_a_group_and_a_tenant_of_one_name(capsys: pytest.CaptureFixture[str]) -> None:
    run("create-group", "acme", "--queue-mode", "shared_fair")
    run("create", "acme", "--group", "acme")

    shown = answer(capsys, "show", "acme")

    assert shown.keys() - {"stack", "account", "region"} == {"group", "tenant"}
    assert len(shown["group"]["Queues"]) == 4
    assert shown["tenant"]["Queues"] == {}


@pytest.mark.usefixtures("gold")
def test_show_of_an_unknown_name_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert "There is no group and no tenant acme" in sentence(capsys, "show", "acme")


# -- suspend, resume


def test_a_tenant_is_suspended_and_resumed(acme: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    before = acme.record("tenant", "acme")
    assert before is not None

    assert answer(capsys, "suspend", "acme")["tenant"]["Status"] == "SUSPENDED"
    assert status(acme) == "SUSPENDED"
    assert answer(capsys, "resume", "acme")["tenant"]["Status"] == "ACTIVE"

    after = acme.record("tenant", "acme")
    assert after is not None
    assert after.pop("UpdatedAt") > before.pop("UpdatedAt")
    assert after == before


@pytest.mark.parametrize(("verb", "there"), [("suspend", "SUSPENDED"), ("resume", "ACTIVE")])
def test_suspend_and_resume_write_nothing_when_already_done(
    acme: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str], verb: str, there: str
) -> None:
    acme.set("tenant", "acme", "Status", there)
    calls.forget()

    run(verb, "acme")

    assert f"The tenant acme is {there}" in capsys.readouterr().out
    assert calls.writes == []


@pytest.mark.parametrize("verb", ["suspend", "resume"])
@pytest.mark.parametrize(
    ("there", "remedy"),
    [("PROVISIONING", "tenants create --group gold acme"), ("DELETING", "tenants delete acme")],
)
def test_what_cannot_be_suspended_or_resumed(
    acme: Cloud, capsys: pytest.CaptureFixture[str], verb: str, there: str, remedy: str
) -> None:
    acme.set("tenant", "acme", "Status", there)

    assert remedy in sentence(capsys, verb, "acme")
    assert status(acme) == there


def test_suspend_reports_a_tenant_deleted_meanwhile(
    acme: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    def delete_meanwhile(name: str, _: object) -> None:
        if name == "UpdateItem":
            calls.undisturbed()
            acme.set("tenant", "acme", "Status", "DELETING")

    calls.on_call = delete_meanwhile

    line = sentence(capsys, "suspend", "acme")

    assert "Another process has made the tenant acme DELETING" in line
    assert status(acme) == "DELETING"


@pytest.mark.parametrize(("verb", "would"), [("suspend", "SUSPENDED"), ("resume", "ACTIVE")])
def test_a_dry_run_changes_no_status(
    acme: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str], verb: str, would: str
) -> None:
    before = acme.record("tenant", "acme")
    calls.forget()

    run(verb, "acme", "--dry-run")

    assert f"is ACTIVE and would be {would}" in capsys.readouterr().out
    assert calls.writes == []
    assert acme.record("tenant", "acme") == before


# -- put-file


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    file = tmp_path / "orders.csv"
    file.write_bytes(b"id,amount\n1,2\n")
    return file


def test_a_file_is_put_below_raw(
    acme: Cloud, orders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put = answer(capsys, "put-file", "acme", str(orders))

    assert (put["bucket"], put["key"], put["size"]) == (
        acme.bucket("gold"),
        "acme/raw/orders.csv",
        14,
    )
    found = boto3.client("s3").get_object(
        Bucket=put["bucket"], Key=put["key"], VersionId=put["version_id"]
    )
    assert found["Body"].read() == orders.read_bytes()


def test_put_file_stores_under_the_name_given_by_as(
    acme: Cloud, orders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("put-file", "acme", str(orders), "--as", "2026/november orders.csv")

    assert "acme/raw/2026/november orders.csv" in acme.keys("gold")
    assert (
        f"s3://{acme.bucket('gold')}/acme/raw/2026/november orders.csv" in capsys.readouterr().out
    )


def test_a_large_file_goes_in_parts(acme: Cloud, calls: Calls, tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    large.write_bytes(b"0123456789\n" * 900_000)

    run("put-file", "acme", str(large))

    assert calls.made.count("UploadPart") == 2
    size = boto3.client("s3").head_object(Bucket=acme.bucket("gold"), Key="acme/raw/large.csv")
    assert size["ContentLength"] == large.stat().st_size


@pytest.mark.usefixtures("acme")
def test_put_file_reports_a_denied_upload(
    orders: Path, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    calls.failing("PutObject", 1, "AccessDenied")

    assert "AccessDenied" in sentence(capsys, "put-file", "acme", str(orders), code=3)


@pytest.mark.parametrize("path", ["../beta/raw/x", "a//b", "%2e%2e/x", "/x"])
def test_a_path_that_leads_elsewhere(
    acme: Cloud, orders: Path, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    before = acme.keys("gold")

    assert "The path" in sentence(capsys, "put-file", "acme", str(orders), "--as", path)
    assert acme.keys("gold") == before


@pytest.mark.usefixtures("acme")
def test_put_file_refuses_what_it_cannot_upload(
    orders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(orders.parent / "gone.csv")

    assert "gone.csv is not a file" in sentence(capsys, "put-file", "acme", missing)
    assert "There is no tenant beta" in sentence(capsys, "put-file", "beta", str(orders))


@pytest.mark.parametrize("there", ["PROVISIONING", "DELETING"])
def test_a_tenant_that_takes_no_files(
    acme: Cloud, orders: Path, capsys: pytest.CaptureFixture[str], there: str
) -> None:
    acme.set("tenant", "acme", "Status", there)

    assert f"is {there}: finish that" in sentence(capsys, "put-file", "acme", str(orders))


def test_a_suspended_tenants_file_will_wait(
    acme: Cloud, orders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("suspend", "acme")
    run("put-file", "acme", str(orders))

    assert "will wait in quarantine" in capsys.readouterr().err
    assert "acme/raw/orders.csv" in acme.keys("gold")


def test_a_dry_run_uploads_nothing(
    acme: Cloud,
    orders: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with recorded(monkeypatch) as calls:
        run("put-file", "acme", str(orders), "--dry-run")

    assert capsys.readouterr().out.endswith(
        f"would upload to s3://{acme.bucket('gold')}/acme/raw/orders.csv\n"
    )
    assert calls.writes == []


# -- Every verb


@pytest.mark.parametrize(
    "arguments",
    [
        ("suspend", "Acme"),
        ("resume", "a"),
        ("show", "a/b"),
        ("delete", ".."),
        ("delete-group", "gold-"),
        ("put-file", "acme_1", __file__),
        ("quarantine", "release", "acme%2f"),
        ("list", "--group", "*"),
    ],
)
@pytest.mark.usefixtures("cloud")
def test_names_are_checked_before_anything_is_asked_of_them(
    calls: Calls, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert "take 3 to 40 of a-z, 0-9 and -" in sentence(capsys, *arguments)
    assert calls.made == ["GetParameter"]


def test_interrupted_command_exits_130_and_can_be_repeated(
    cloud: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(name: str, _: object) -> None:
        if name == "CreateBucket":
            raise KeyboardInterrupt

    calls.on_call = interrupt

    assert main(["tenants", *SHARED_GROUP]) == 130
    assert capsys.readouterr().err.endswith("event-pipelines: interrupted\n")
    calls.undisturbed()
    run("create-group", "gold")
    run(*TENANT)
    assert cloud.buckets() == {cloud.bucket("gold")}
