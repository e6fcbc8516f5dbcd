def test_a_connection_returns_to_the_pool_after_every_kind_of_response(app, world):
    ada = world.tenant()
    app.engine.dispose()  # a pool of this test's own

    for number in range(2 * app.engine.pool.size()):
        answers = [ada.start(), ada.start(), ada.stop(), ada.stop(), ada.report(), ada.get("entries", cursor="x")]

        assert [answer.status for answer in answers] == [201, 200, 200, 409, 200, 400], number
        assert app.engine.pool.checkedout() == 0
