"""Clients by which tests make and look at what moto has, beside those of the code under test."""

from functools import cache
from typing import Any

import boto3


@cache
def client(service: Any) -> Any:
    """One of each for all tests, because making one takes longer than all that a test does with it.

    moto has to be imported before, and sees every client that is made after it.
    """
    return boto3.client(
        service,
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
