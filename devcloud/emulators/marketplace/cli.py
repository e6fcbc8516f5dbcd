"""The command `marketplace`: runs the emulator, and gives orders to the running one."""

import json
import signal
import threading
from pathlib import Path
from typing import Annotated, Any, NoReturn

import requests
import typer

from devcloud.emulators.entra.server import PORT as ENTRA_PORT
from devcloud.emulators.marketplace.publisher import Publisher
from devcloud.emulators.marketplace.server import PORT, Options, running
from devcloud.emulators.marketplace.switches import Pace
from devcloud.ports import PortUnusable


API = "http://127.0.0.1:7071/api/marketplace"
At = Annotated[str, typer.Option("--at", help="where the stand-in runs")]
Subscription = Annotated[str, typer.Argument(help="the subscription's id, or how it begins")]
HERE = f"http://127.0.0.1:{PORT}"

app = typer.Typer(
    help="The stand-in for the Azure Marketplace.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="where it listens, on 127.0.0.1 only", min=0, max=65535)] = PORT,
    *,
    data: Annotated[Path, typer.Option(help="where it keeps what was sold")] = Path(".data"),
    authority: Annotated[str, typer.Option(help="the stand-in for Entra")] = f"http://127.0.0.1:{ENTRA_PORT}",
    landing: Annotated[str, typer.Option(help="the publisher's landing page")] = f"{API}/landing",
    webhook: Annotated[str, typer.Option(help="the publisher's webhook")] = f"{API}/webhook",
    retry: Annotated[float, typer.Option(help="seconds until a webhook is repeated; really 57.6")] = 2.0,
    ack: Annotated[float, typer.Option(help="seconds until a change is accepted by itself, as really")] = 10.0,
) -> None:
    """Runs the stand-in until it is told to stop."""
    stopped = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    try:
        with running(Options(data, authority, Publisher(landing, webhook)), port=port) as stand_in:
            stand_in.behaviour.pace = Pace(retry_seconds=retry, ack_seconds=ack)
            typer.echo(f"marketplace ready on {stand_in.url}")
            stopped.wait()
    except PortUnusable as error:
        _fail(str(error))


@app.command()
def buy(
    person: Annotated[str, typer.Argument(help="short name, e-mail or object id of the buyer")],
    plan: Annotated[str, typer.Option(help="paid, gold, team, seats, seats-plus or seats-yearly")] = "paid",
    quantity: Annotated[int | None, typer.Option(help="how many seats, for a plan by seats")] = None,
    purchaser: Annotated[str | None, typer.Option(help="who pays, when a reseller does")] = None,
    term: Annotated[str, typer.Option(help="P1M by the month, P1Y by the year")] = "P1M",
    *,
    free_trial: Annotated[bool, typer.Option("--free-trial", help="begin with the Marketplace's free trial")] = False,
    at: At = HERE,
) -> None:
    """Buys TimeTracker; prints the subscription's id and the landing page's address."""
    order = {"person": person, "plan": plan, "quantity": quantity, "purchaser": purchaser}
    order |= {"term": term, "free_trial": free_trial}
    bought = _order(at, "buy", order)
    typer.echo(f"{bought['subscription']}\n{bought['landingUrl']}")


@app.command()
def manage(subscription: Subscription, at: At = HERE) -> None:
    """Prints a fresh address of the landing page, as "Manage account" opens it."""
    typer.echo(_order(at, "link", {"subscription": _whole(at, subscription)})["landingUrl"])


@app.command()
def change(
    subscription: Subscription,
    plan: Annotated[str | None, typer.Option(help="the new plan")] = None,
    quantity: Annotated[int | None, typer.Option(help="the new number of seats")] = None,
    at: At = HERE,
) -> None:
    """Changes the plan or the seats, as the customer does; prints the operation's id."""
    _one(at, "change", subscription, plan=plan, quantity=quantity)


@app.command()
def suspend(subscription: Subscription, at: At = HERE) -> None:
    """Suspends it, as when a payment fails."""
    _one(at, "suspend", subscription)


@app.command()
def reinstate(subscription: Subscription, at: At = HERE) -> None:
    """Lifts a suspension, as when the payment arrives."""
    _one(at, "reinstate", subscription)


@app.command()
def renew(subscription: Subscription, at: At = HERE) -> None:
    """Begins the next term."""
    _one(at, "renew", subscription)


@app.command()
def unsubscribe(subscription: Subscription, at: At = HERE) -> None:
    """Cancels it for good."""
    _one(at, "unsubscribe", subscription)


@app.command("list")
def list_all(at: At = HERE) -> None:
    """Lists what was sold."""
    for sold in _stats(at)["subscriptions"].values():
        seats = "-" if sold["quantity"] is None else sold["quantity"]
        typer.echo(f"{sold['id']}  {sold['status']}  {sold['plan_id']}  {seats}  {sold['beneficiary']['email']}")


@app.command()
def stats(at: At = HERE) -> None:
    """Prints all it knows as JSON: subscriptions, operations, usage, webhook attempts, requests."""
    typer.echo(json.dumps(_stats(at), indent=2))


@app.command()
def order(
    name: Annotated[str, typer.Argument(help="shapes, pace, faults, release, event, link or buy")],
    document: Annotated[str, typer.Argument(help="the order as JSON")] = "{}",
    at: At = HERE,
) -> None:
    """Gives any order of the admin endpoint; prints its answer."""
    try:
        given = json.loads(document)
    except ValueError:
        _fail("the order is not JSON")
    typer.echo(json.dumps(_order(at, name, given)))


def _one(at: str, verb: str, subscription: str, **more: object) -> None:
    typer.echo(_order(at, verb, {"subscription": _whole(at, subscription), **more})["operation"] or "done")


def _whole(at: str, beginning: str) -> str:
    """The one id that begins so."""
    found = [each for each in _stats(at)["subscriptions"] if each.startswith(beginning)]
    if len(found) != 1:
        _fail(f"{len(found) or 'no'} subscriptions begin with {beginning!r}; see: python -m devcloud marketplace list")
    return str(found[0])


def _stats(at: str) -> dict[str, Any]:
    return _answer(at, "GET", "stats", None)


def _order(at: str, name: str, order: object) -> dict[str, Any]:
    return _answer(at, "POST", name, order)


def _answer(at: str, method: str, name: str, order: object) -> dict[str, Any]:
    try:
        response = requests.request(method, f"{at.rstrip('/')}/admin/{name}", json=order, timeout=60)
        answer: dict[str, Any] = response.json()
    except requests.RequestException:
        _fail(f"no stand-in answers on {at}; start it with: python -m devcloud marketplace serve")
    if not response.ok:
        _fail(str(answer.get("error")))
    return answer


def _fail(told: str) -> NoReturn:
    typer.echo(f"marketplace: {told}", err=True)
    raise typer.Exit(1)
