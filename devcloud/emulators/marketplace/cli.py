"""The command `marketplace`: runs the emulator, and sends commands to the running one."""

import json
import signal
import threading
from pathlib import Path
from typing import Annotated, Any, NoReturn

import requests
import typer

from devcloud.emulators.entra.server import PORT as ENTRA_PORT
from devcloud.emulators.marketplace.behavior import MarketplacePace
from devcloud.emulators.marketplace.publisher import Publisher
from devcloud.emulators.marketplace.server import PORT, Options, running
from devcloud.ports import PortUnusable


API = "http://127.0.0.1:7071/api/marketplace"
At = Annotated[str, typer.Option("--at", metavar="URL", help="address of the emulator")]
Subscription = Annotated[str, typer.Argument(help="id of the subscription, or the beginning of it")]
HERE = f"http://127.0.0.1:{PORT}"

app = typer.Typer(
    help="The emulator of the Azure Marketplace.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def serve(
    port: Annotated[int, typer.Option(metavar="PORT", help="port on 127.0.0.1", min=0, max=65535)] = PORT,
    *,
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="folder of its data")] = Path(".data"),
    authority: Annotated[
        str, typer.Option(metavar="URL", help="address of the Microsoft Entra emulator")
    ] = f"http://127.0.0.1:{ENTRA_PORT}",
    landing: Annotated[str, typer.Option(metavar="URL", help="landing page of the publisher")] = f"{API}/landing",
    webhook: Annotated[str, typer.Option(metavar="URL", help="webhook of the publisher")] = f"{API}/webhook",
    retry: Annotated[
        float, typer.Option(metavar="SECONDS", help="pause before a webhook call is repeated; 57.6 at Microsoft")
    ] = 2.0,
    ack: Annotated[
        float, typer.Option(metavar="SECONDS", help="time after which a change is accepted without an answer")
    ] = 10.0,
) -> None:
    """Run the emulator until it is stopped."""
    stopped = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    try:
        with running(Options(data, authority, Publisher(landing, webhook)), port=port) as emulator:
            emulator.behavior.pace = MarketplacePace(retry_seconds=retry, ack_seconds=ack)
            typer.echo(f"marketplace ready on {emulator.url}")
            stopped.wait()
    except PortUnusable as error:
        _fail(str(error))


@app.command()
def buy(
    person: Annotated[str, typer.Argument(help="short name, e-mail or object id of the buyer")],
    plan: Annotated[str, typer.Option(help="paid, gold, team, seats, seats-plus or seats-yearly")] = "paid",
    quantity: Annotated[int | None, typer.Option(metavar="N", help="number of seats, for plans per seat")] = None,
    purchaser: Annotated[str | None, typer.Option(metavar="PERSON", help="the reseller, if one pays")] = None,
    term: Annotated[str, typer.Option(help="P1M monthly, P1Y yearly")] = "P1M",
    *,
    free_trial: Annotated[bool, typer.Option("--free-trial", help="with the Marketplace's free trial")] = False,
    at: At = HERE,
) -> None:
    """Buy TimeTracker; prints the subscription's id and the address of the landing page."""
    purchase = {"person": person, "plan": plan, "quantity": quantity, "purchaser": purchaser}
    purchase |= {"term": term, "free_trial": free_trial}
    bought = _execute(at, "buy", purchase)
    typer.echo(f"{bought['subscription']}\n{bought['landingUrl']}")


@app.command()
def manage(subscription: Subscription, at: At = HERE) -> None:
    """Print a new address of the landing page, as "Manage account" opens it."""
    typer.echo(_execute(at, "link", {"subscription": _subscription_id(at, subscription)})["landingUrl"])


@app.command()
def change(
    subscription: Subscription,
    plan: Annotated[str | None, typer.Option(help="the new plan")] = None,
    quantity: Annotated[int | None, typer.Option(metavar="N", help="the new number of seats")] = None,
    at: At = HERE,
) -> None:
    """Change the plan or the seats, as the customer; prints the operation's id."""
    _execute_for(at, "change", subscription, plan=plan, quantity=quantity)


@app.command()
def suspend(subscription: Subscription, at: At = HERE) -> None:
    """Suspend a subscription, as after a failed payment."""
    _execute_for(at, "suspend", subscription)


@app.command()
def reinstate(subscription: Subscription, at: At = HERE) -> None:
    """End a suspension, as after a payment."""
    _execute_for(at, "reinstate", subscription)


@app.command()
def renew(subscription: Subscription, at: At = HERE) -> None:
    """Begin the next term."""
    _execute_for(at, "renew", subscription)


@app.command()
def unsubscribe(subscription: Subscription, at: At = HERE) -> None:
    """Cancel a subscription."""
    _execute_for(at, "unsubscribe", subscription)


@app.command("list")
def list_all(at: At = HERE) -> None:
    """List the subscriptions."""
    for sold in _stats(at)["subscriptions"].values():
        seats = "-" if sold["quantity"] is None else sold["quantity"]
        typer.echo(f"{sold['id']}  {sold['status']}  {sold['plan_id']}  {seats}  {sold['beneficiary']['email']}")


@app.command()
def stats(at: At = HERE) -> None:
    """Print the whole state as JSON: subscriptions, operations, usage, webhook attempts, requests."""
    typer.echo(json.dumps(_stats(at), indent=2))


@app.command()
def admin(
    name: Annotated[str, typer.Argument(help="shapes, pace, faults, release, event, link or buy")],
    document: Annotated[str, typer.Argument(help="the body as JSON")] = "{}",
    at: At = HERE,
) -> None:
    """Send a command to the admin endpoint; prints the response."""
    try:
        given = json.loads(document)
    except ValueError:
        _fail("the body is not JSON")
    typer.echo(json.dumps(_execute(at, name, given)))


def _execute_for(at: str, verb: str, subscription: str, **more: object) -> None:
    typer.echo(_execute(at, verb, {"subscription": _subscription_id(at, subscription), **more})["operation"] or "done")


def _subscription_id(at: str, beginning: str) -> str:
    """The one subscription id with that beginning."""
    found = [each for each in _stats(at)["subscriptions"] if each.startswith(beginning)]
    if len(found) != 1:
        _fail(f"{len(found) or 'no'} subscriptions begin with {beginning!r}; see: python -m devcloud marketplace list")
    return str(found[0])


def _stats(at: str) -> dict[str, Any]:
    return _call_admin(at, "GET", "stats", None)


def _execute(at: str, name: str, body: object) -> dict[str, Any]:
    return _call_admin(at, "POST", name, body)


def _call_admin(at: str, method: str, name: str, body: object) -> dict[str, Any]:
    try:
        response = requests.request(method, f"{at.rstrip('/')}/admin/{name}", json=body, timeout=60)
        answer: dict[str, Any] = response.json()
    except requests.RequestException:
        _fail(f"no emulator answers on {at}; start it with: python -m devcloud marketplace serve")
    if not response.ok:
        _fail(str(answer.get("error")))
    return answer


def _fail(message: str) -> NoReturn:
    typer.echo(f"marketplace: {message}", err=True)
    raise typer.Exit(1)
