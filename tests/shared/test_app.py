import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest


def test_concurrent_first_calls_share_one_client(app):
    asked, made = threading.Barrier(2), []

    def make(_app):
        made.append(object())
        both_ask.wait(0.2)  # long enough for the other to come in, if it could
        return made[-1]

    def ask():
        asked.wait()
        return app.once(make)

    both_ask = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        first, second = (each.result() for each in [pool.submit(ask), pool.submit(ask)])

    assert made == [first]
    assert second is first


def test_a_client_may_use_other_clients_when_it_is_made(app):
    def inner(_app):
        return "inner"

    assert app.once(lambda app: [app.once(inner)]) == ["inner"]


def test_a_none_result_is_kept_too(app):
    made = []

    def nothing(of):
        made.append(of)

    assert (app.once(nothing), app.once(nothing)) == (None, None)
    assert made == [app]


def test_a_client_that_failed_to_start_is_made_at_the_next_use(app):
    tries = iter([False, True])

    def make(_app):
        if not next(tries):
            raise ZeroDivisionError
        return "made"

    with pytest.raises(ZeroDivisionError):
        app.once(make)

    assert app.once(make) == "made"


def test_an_app_closes_its_own_clients_only(app):
    class Client:
        is_open = True

        def close(self):
            self.is_open = False

    def client(_app):
        return Client()

    other = replace(app)
    own, others = app.once(client), other.once(client)
    app.once(lambda _app: "cannot be closed")
    app.close()

    assert own is not others
    assert (own.is_open, others.is_open) == (False, True)
