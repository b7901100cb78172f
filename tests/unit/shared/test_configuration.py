import pytest

from shared.configuration import ConfigurationError, Environment


def test_environment_values_are_read_by_type() -> None:
    environment = Environment({"SIDE": "128", "FOLDER": "derived/", "NAME": "thumbnail"})

    assert environment.integer("SIDE", 1, 128) == 128
    assert environment.prefix("FOLDER") == "derived/"
    assert environment.text("NAME") == "thumbnail"


def test_empty_counts_as_not_set() -> None:
    environment = Environment({"SIDE": "", "NAME": ""})

    assert environment.optional("NAME") is None
    assert environment.text("NAME", "mobile") == "mobile"
    assert environment.integer("SIDE", 1, 10, default=7) == 7


def test_a_missing_variable_is_named_with_the_remedy() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Environment({}).text("OUTPUT_PREFIX")

    assert str(caught.value) == (
        "The environment variable OUTPUT_PREFIX is not set: set it on the function."
    )


@pytest.mark.parametrize("value", ["0", "129", "-1", "1.5", "many"])
def test_a_number_out_of_range_is_quoted_with_its_range(value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Environment({"SIDE": value}).integer("SIDE", 1, 128)

    assert str(caught.value) == (
        f"The environment variable SIDE is {value!r}: set it to a whole number from 1 to 128."
    )


@pytest.mark.parametrize("value", ["derived", "/derived/", "/"])
def test_prefix_without_a_trailing_slash_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"FOLDER .* ends with a slash"):
        Environment({"FOLDER": value}).prefix("FOLDER")
