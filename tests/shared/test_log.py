import logging

import pytest

from shared.log import exception_fields, get_logger


def test_only_the_listed_fields_are_written(caplog):
    with caplog.at_level(logging.INFO, logger="timetracker"):
        get_logger().info("something", operation="start_timer", email="ada@contoso.example", token="eyJ")

    assert '"operation": "start_timer"' in caplog.text
    assert "contoso" not in caplog.text
    assert "eyJ" not in caplog.text
    assert '"droppedFields": ["email", "token"]' in caplog.text


def test_an_exception_is_logged_by_its_type_and_places_without_its_text():
    with pytest.raises(ValueError, match="secret") as caught:
        raise ValueError("secret of ada@contoso.example")
    fields = exception_fields(caught.value)

    assert fields["errorType"] == "ValueError"
    assert fields["stack"][-1].startswith("tests/shared/test_log.py:")
    assert "secret" not in str(fields)
