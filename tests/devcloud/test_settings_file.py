import json

import pytest

from devcloud import settings_file
from devcloud.settings_file import SettingsFileError


def test_the_values_become_variables_unless_they_are_set(tmp_path):
    (tmp_path / "local.settings.json").write_text(json.dumps({"Values": {"A": "file", "B": "file", "C": 5, "D": True}}))
    environment = {"A": "user", "B": ""}

    settings_file.load(tmp_path, environment)

    assert environment == {"A": "user", "B": "", "C": "5", "D": "true"}


def test_the_sample_is_read_only_without_the_users_file(tmp_path):
    (tmp_path / "local.settings.sample.json").write_text('{"Values": {"FROM": "sample"}}')
    first: dict[str, str] = {}
    second: dict[str, str] = {}

    settings_file.load(tmp_path, first)
    (tmp_path / "local.settings.json").write_text('\ufeff{"Values": {"FROM": "own"}}')
    settings_file.load(tmp_path, second)

    assert (first, second) == ({"FROM": "sample"}, {"FROM": "own"})


def test_without_any_file_nothing_is_added(tmp_path):
    environment: dict[str, str] = {}

    assert settings_file.load(tmp_path, environment) is None
    assert environment == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"Values": {', "is not JSON: .* in line 1, column 13"),
        ("[]", 'has no object "Values"'),
        ('{"Values": []}', 'has no object "Values"'),
        ('{"Values": {"A": null}}', "the value of A is not a text"),
        ('{"Values": {"A": {}}}', "the value of A is not a text"),
    ],
)
def test_the_error_of_an_invalid_file_is_one_line(tmp_path, text, message):
    (tmp_path / "local.settings.json").write_text(text)

    with pytest.raises(SettingsFileError, match=message) as refused:
        settings_file.load(tmp_path, {})

    assert "\n" not in str(refused.value)
