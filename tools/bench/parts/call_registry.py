"""The parts of a bench beside the peer, at fixed rates, of other calls and over a long time."""

from collections.abc import Sequence
from typing import Final

from tools.bench.bench import Bench
from tools.bench.load.rounds import figures
from tools.bench.parts import fixed_rates as rates
from tools.bench.parts import peer, soak, webhooks
from tools.bench.parts import sign_ins as calls
from tools.bench.parts.fixed_rates import Steady
from tools.bench.parts.peer import Beside
from tools.bench.report import call_tables as tables_calls
from tools.bench.report.result import Bar, Found, sentence
from tools.bench.report.tables import PAIR


PEER_AIM, RATE_AIM_MS, WEBHOOK_AIM_MS, GROWTH_AIM = 1.0, 100.0, 2_000.0, 0.05
AIM_RATE: Final = 50


def peer_part(bench: Bench, sizes: Sequence[int]) -> Found:
    found = peer.run(bench, sizes=sizes)
    said = [
        sentence(f"{_what(each)}: ours takes", each.over(each.peer).median, PEER_AIM, " times as long as TimeTagger")
        for each in found
    ]
    made = {"peer": tables_calls.peer_table(found), "peer_ratios": tables_calls.peer_ratios(found)}
    return Found(made, "\n".join(said), [_bar(each) for each in found if each.connections == 1])


def rates_part(bench: Bench) -> Found:
    found = rates.run(bench)
    said = [_steady(each) for each in found if each.rate == AIM_RATE]
    return Found({"rates": tables_calls.rate_table(found)}, "\n".join(said))


def calls_part(bench: Bench) -> Found:
    signed_in, heard, started = calls.sign_ins(bench), webhooks.run(bench), calls.starts(bench)
    said = [
        sentence(
            f"On {each.engine} 99 of 100 calls of the webhook take at most",
            webhooks.percentile_of(each.ours, 99),
            WEBHOOK_AIM_MS,
            " ms",
        )
        for each in heard
    ]
    made = {
        "sign_ins": tables_calls.sign_in_table(signed_in),
        "webhooks": tables_calls.webhook_table(heard),
        "starts": tables_calls.start_table(*started),
    }
    return Found(made, "\n".join(said))


def soak_part(bench: Bench, minutes: float) -> Found:
    long = soak.run(bench, minutes=minutes)
    files = long.open_files[soak.WARM_SLICES :]
    flat = "they stay the same" if len(set(files)) == 1 else f"they are from {min(files)} to {max(files)}"
    said = [
        sentence(f"In {minutes:g} minutes on {long.engine} memory grows by a share of", long.growth, GROWTH_AIM, ""),
        f"Open files, database connections among them: {flat}. Every answer was right, or the run had failed.",
    ]
    return Found({"soak": tables_calls.soak_table(long)}, "\n".join(said))


def _what(each: Beside) -> str:
    return f"{each.what}, {each.connections} connection{'s' if each.connections > 1 else ''}"


def _steady(each: Steady) -> str:
    p95 = figures(each.rounds, *PAIR).p95
    return sentence(
        f"On {each.engine} at {each.rate} requests a second 95 of 100 take at most", p95, RATE_AIM_MS, " ms"
    )


def _bar(each: Beside) -> Bar:
    rounds = {"floor": each.floor, "ours": each.ours, "TimeTagger": each.peer}
    return Bar(each.what, {name: round(figures(of, *each.names).p50, 3) for name, of in rounds.items()})
