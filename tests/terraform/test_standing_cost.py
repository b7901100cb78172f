"""The README says what a stack costs while nothing happens, from the plan and the price file."""

import pytest

from event_pipelines import prices
from support.mocked_plans import REPOSITORY, Plan

pytestmark = pytest.mark.xdist_group("mocked plans")

# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html: Lambda keeps five long
# polls open on a queue, and each lasts 20 s when it finds nothing.
POLLS_A_MONTH = 5 * 30 * 24 * 3600 // 20


def polls(plan: Plan) -> float:
    """Dollars a month for receiving nothing."""
    dollars = 0.0
    for each in plan.all("aws_lambda_event_source_mapping"):
        fifo = str(each.values["event_source_arn"]).endswith(".fifo")
        dollars += POLLS_A_MONTH * (prices.SQS_FIFO_REQUEST if fifo else prices.SQS_REQUEST)
    return dollars


def test_the_readme_has_the_standing_cost_of_the_default_stack(plans: dict[str, Plan]) -> None:
    plan = plans["defaults"]
    alarms = plan.all("aws_cloudwatch_metric_alarm")
    composite = plan.all("aws_cloudwatch_composite_alarm")
    queues = plan.all("aws_lambda_event_source_mapping")
    alarming = len(alarms) * prices.ALARM_MONTH + len(composite) * prices.COMPOSITE_ALARM_MONTH
    dashboard = len(plan.all("aws_cloudwatch_dashboard")) * prices.DASHBOARD_MONTH
    whole = alarming + dashboard + polls(plan)

    readme = " ".join((REPOSITORY / "README.md").read_text(encoding="utf-8").split())

    assert (
        f"Idle, all five pipelines cost ${whole:.2f} a month by list price ({prices.REGION},"
        f" {prices.LISTED}, without free tiers): ${alarming:.2f} for"
        f" {len(alarms) + len(composite)} alarms, ${polls(plan):.2f} for Lambda's empty polls of"
        f" {len(queues)} queues, ${dashboard:.2f} for the dashboard; a customer managed key adds"
        f" ${prices.KEY_MONTH:.2f}."
    ) in readme
