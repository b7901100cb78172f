import pytest
from hypothesis import given
from hypothesis import strategies as st

from create_image_derivative.image import SUPPORTED_FORMATS, Recipe
from create_image_derivative.settings import Settings
from shared.configuration import ConfigurationError, Environment


def settings_from(environment: dict[str, str], **changes: str) -> Settings:
    return Settings.from_environment(Environment({**environment, **changes}))


def test_the_defaults_are_those_of_a_gigabyte(environment: dict[str, str]) -> None:
    assert settings_from(environment) == Settings(
        derivative="thumbnail",
        source_prefix="ingest/",
        output_prefix="derived/thumbnail/",
        rejections_prefix="rejections/thumbnail/",
        rejections_bucket=None,
        output_bucket=None,
        max_source_bytes=50_000_000,
        cache_control="public, max-age=300",
        recipe=Recipe(
            max_width=64,
            max_height=64,
            quality=82,
            background=(255, 255, 255),
            formats=frozenset({"JPEG", "PNG", "WEBP", "GIF", "AVIF"}),
            max_pixels=200_000_000,
            min_side=1,
            memory_bytes=864 * 2**20,
        ),
    )


def test_every_derivative_setting_can_be_set(environment: dict[str, str]) -> None:
    settings = settings_from(
        environment,
        REJECTIONS_BUCKET="example-rejections",
        MAX_SOURCE_BYTES="1000",
        CACHE_CONTROL="private",
        QUALITY="70",
        BACKGROUND="#0a0b0C",
        ALLOWED_FORMATS="jpeg, tiff",
        MAX_PIXELS="1000000",
        MIN_SIDE="16",
        TOLERATE="nothing",
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE="2048",
    )

    assert settings.rejections_bucket == "example-rejections"
    assert settings.max_source_bytes == 1000
    assert settings.cache_control == "private"
    assert settings.recipe == Recipe(
        64,
        64,
        70,
        (10, 11, 12),
        frozenset({"JPEG", "TIFF"}),
        1_000_000,
        16,
        1888 * 2**20,
        repair=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DERIVATIVE", ""),
        ("MAX_WIDTH", "0"),
        ("MAX_HEIGHT", "8193"),
        ("SOURCE_PREFIX", "ingest"),
        ("OUTPUT_PREFIX", ""),
        ("REJECTIONS_PREFIX", "/rejections/"),
        ("MAX_SOURCE_BYTES", "lots"),
        ("QUALITY", "96"),
        ("BACKGROUND", "white"),
        ("BACKGROUND", "#fff"),
        ("ALLOWED_FORMATS", "JPEG,EPS"),
        ("MAX_PIXELS", "-1"),
        ("MIN_SIDE", "0"),
        ("TOLERATE", "everything"),
        ("FORMAT", "gif"),
        ("FIT", "fill"),
        ("POSITION", "middle"),
    ],
)
def test_a_wrong_variable_is_named(environment: dict[str, str], name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        settings_from(environment, **{name: value})


def test_too_small_a_function_is_refused_rather_than_every_upload(
    environment: dict[str, str],
) -> None:
    assert settings_from(environment, AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512")
    with pytest.raises(ConfigurationError, match="memory size to 512 MB or more"):
        settings_from(environment, AWS_LAMBDA_FUNCTION_MEMORY_SIZE="511")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OUTPUT_PREFIX", "ingest/thumbnail/"),
        ("OUTPUT_PREFIX", "ingest/"),
        ("REJECTIONS_PREFIX", "ingest/rejected/"),
        ("REJECTIONS_PREFIX", "derived/thumbnail/rejected/"),
        ("SOURCE_PREFIX", "derived/"),
        ("SOURCE_PREFIX", "rejections/"),
    ],
)
def test_overlapping_prefixes_are_refused(
    environment: dict[str, str], name: str, value: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"{name} .*overlap"):
        settings_from(environment, **{name: value})


def test_prefixes_that_only_begin_alike_are_fine(environment: dict[str, str]) -> None:
    assert settings_from(environment, SOURCE_PREFIX="in/", OUTPUT_PREFIX="in-small/")


@pytest.mark.parametrize(
    "change",
    [
        {"MAX_WIDTH": "65"},
        {"MAX_HEIGHT": "65"},
        {"QUALITY": "81"},
        {"BACKGROUND": "#fffffe"},
        {"CACHE_CONTROL": "no-cache"},
        {"FORMAT": "webp"},
        {"FIT": "cover"},
        {"POSITION": "top"},
    ],
)
def test_what_changes_the_result_changes_the_fingerprint(
    environment: dict[str, str], change: dict[str, str]
) -> None:
    before, after = settings_from(environment), settings_from(environment, **change)

    assert before.fingerprint != after.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"MAX_PIXELS": "1000"},
        {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048"},
        {"ALLOWED_FORMATS": "JPEG"},
        {"REJECTIONS_BUCKET": "example-rejections"},
        {"TOLERATE": "nothing"},
    ],
)
def test_what_only_decides_acceptance_does_not(
    environment: dict[str, str], change: dict[str, str]
) -> None:
    before, after = settings_from(environment), settings_from(environment, **change)

    assert before.fingerprint == after.fingerprint


def test_tiff_and_heic_are_known_but_off(environment: dict[str, str]) -> None:
    assert SUPPORTED_FORMATS - settings_from(environment).recipe.formats == {"TIFF", "HEIC"}


@given(st.sets(st.text(min_size=1), min_size=2, max_size=2))
def test_two_uploads_never_share_a_derivative(names: set[str]) -> None:
    settings = Settings(
        "t", "ingest/", "derived/t/", "rejections/", None, None, 1, "x", Recipe(1, 1)
    )

    made = {settings.output_of("uploads", f"ingest/{name}") for name in names}

    assert len(made) == 2
    assert {bucket for bucket, _ in made} == {"uploads"}
    assert all(key.startswith("derived/t/") and key.endswith(".jpg") for _, key in made)


def test_equal_keys_of_two_source_buckets_never_share_a_derivative(
    environment: dict[str, str],
) -> None:
    settings = settings_from(environment, OUTPUT_BUCKET="made")

    made = [settings.output_of(bucket, "ingest/cat.png") for bucket in ("north", "south")]

    assert made == [
        ("made", "derived/thumbnail/north/cat.png.jpg"),
        ("made", "derived/thumbnail/south/cat.png.jpg"),
    ]
