"""One invalid function stops the app, as in Azure; the host names it and the reason in one line."""

import pytest

from tests.devcloud import processes


GOOD = """
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="good", methods=["GET"])
def good(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("ok")
"""
MISTAKES = {
    "an argument that is not the trigger's": (
        """
@app.route(route="bad", methods=["GET"])
def bad(request: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("ok")
""",
        ["cannot load the bad function", "{'request'}"],
    ),
    "a dict as an answer": (
        """
@app.route(route="bad", methods=["GET"])
def bad(req: func.HttpRequest) -> dict:
    return {}
""",
        ["cannot load the bad function", '"dict" does not match binding type "http"'],
    ),
    "a context of another type": (
        """
@app.route(route="bad", methods=["GET"])
def bad(req: func.HttpRequest, context: dict) -> func.HttpResponse:
    return func.HttpResponse("ok")
""",
        [
            "cannot load the bad function",
            '"context" parameter is expected to be of type azure.functions.Context',
        ],
    ),
    "an annotation that names nothing": (
        """
@app.route(route="bad", methods=["GET"])
def bad(req: "Nowhere") -> func.HttpResponse:
    return func.HttpResponse("ok")
""",
        ["cannot load the bad function", "name 'Nowhere' is not defined"],
    ),
    "two apps": ("other = func.FunctionApp()\n", ["More than one FunctionApp"]),
    "a name used twice": (
        """
bp = func.Blueprint()

@bp.function_name("good")
@bp.route(route="bad", methods=["GET"])
def bad(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("ok")

app.register_functions(bp)
""",
        ["Function good does not have a unique function name"],
    ),
    "a module that is not there": (
        "import nowhere\n",
        ["No module named 'nowhere'", "(function_app.py, line 8)"],
    ),
    "a syntax error": ("def bad(:\n", ["SyntaxError", "function_app.py, line 8"]),
    "a constraint the host does not know": (
        """
@app.route(route="bad/{when:datetime}", methods=["GET"])
def bad(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("ok")
""",
        ["the function bad", "'bad/{when:datetime}'", "'datetime' is not supported"],
    ),
    "a segment that is half a parameter": (
        """
@app.route(route="bad/v{number}", methods=["GET"])
def bad(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("ok")
""",
        ["the function bad", "'v{number}' is not one parameter as a whole"],
    ),
    "a schedule whose setting is not set": (
        """
@app.timer_trigger(schedule="%NOT_THERE%", arg_name="timer")
def bad(timer: func.TimerRequest) -> None: ...
""",
        ["the function bad", "the setting NOT_THERE is not set"],
    ),
    "a schedule that cannot be read": (
        """
@app.timer_trigger(schedule="0 0 25 * * *", arg_name="timer")
def bad(timer: func.TimerRequest) -> None: ...
""",
        ["the function bad", "'0 0 25 * * *' is not a schedule"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_error_of_an_invalid_app_is_one_line(tmp_path, mistake):
    source, message_parts = MISTAKES[mistake]
    app = processes.app_of(tmp_path / "app", GOOD + source)

    done = processes.devcloud("host", "--app", str(app), "--port", "0")

    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("host: cannot index the app: ")
    assert [part for part in message_parts if part not in line] == []


def test_the_error_of_an_app_without_functions_is_one_line(tmp_path):
    done = processes.devcloud("host", "--app", str(tmp_path), "--port", "0")
    (tmp_path / "host.json").write_text("{}")
    without_app = processes.devcloud("host", "--app", str(tmp_path), "--port", "0")

    assert (done.returncode, without_app.returncode) == (2, 1)
    assert done.stderr == f"host: cannot read {tmp_path}/host.json: No such file or directory\n"
    assert without_app.stderr == (
        f"host: cannot index the app: {tmp_path}/function_app.py is missing or registers no function\n"
    )


def test_the_good_app_is_served_without_the_mistakes(tmp_path):
    app = processes.app_of(tmp_path / "app", GOOD)

    with processes.host(tmp_path / "log", app=app) as host:
        assert host.call("GET", "/api/good").body == b"ok"


def test_a_prefix_of_host_json_precedes_every_route(tmp_path):
    app = processes.app_of(tmp_path / "app", GOOD)
    (app / "host.json").write_text('{"extensions": {"http": {"routePrefix": ""}}}')

    with processes.host(tmp_path / "log", app=app) as host:
        assert host.call("GET", "/good").body == b"ok"
        assert host.call("GET", "/api/good").status == 404


def test_the_error_of_an_invalid_settings_file_is_one_line(tmp_path):
    app = processes.app_of(tmp_path / "app", GOOD)
    (app / "local.settings.json").write_text('{"Values": {"A": 1,}}')

    done = processes.devcloud("host", "--app", str(app), "--port", "0")

    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith(f"host: {app}/local.settings.json is not JSON: ")
