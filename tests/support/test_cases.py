import pytest

from tests.support.cases import check_all


def is_even(number: int) -> None:
    assert number % 2 == 0, "it is odd"


def test_every_failing_case_is_reported():
    with pytest.raises(AssertionError, match=r"(?s)2 of 4 cases.*1: AssertionError it is odd.*3: Assertion") as failure:
        check_all(is_even, [0, 1, 2, 3], at_least=1)

    assert "0:" not in str(failure.value)


def test_a_case_with_an_error_is_reported_like_the_others():
    def divides(number: int, by: int) -> None:
        assert number % by == 0

    with pytest.raises(AssertionError, match=r"(?s)7 0: ZeroDivisionError.*7 2: AssertionError"):
        check_all(divides, [(7, 0), (7, 7), (7, 2)], at_least=3)


def test_too_few_cases_are_a_failure():
    check_all(is_even, [2, 4], at_least=2)
    with pytest.raises(AssertionError, match="0 cases are fewer than 1"):
        check_all(is_even, [], at_least=1)
