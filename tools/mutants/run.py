"""Runs mutmut in the directory of one part, with forks of collected tests in the place of its own runner."""

import hashlib
import multiprocessing
import os
import sys
from collections.abc import Iterable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Final

import mutmut.__main__ as command
from mutmut.configuration import config
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.runners.harness import PytestRunner, TestRunner
from mutmut.state import state
from mutmut.workers.isolation import ForkServerRunner, MutantResult

from tools.mutants.warm import Task, serve


SAMPLE: Final = "MUTANTS_SAMPLE"
_BUDGET_SECONDS: Final = 60.0
_FIRST_SECONDS: Final = 900.0
_SKIPPED: Final = 34  # as mutmut numbers what became of a mutant
_found: Final = command.collect_source_file_mutation_data
_Mutants = tuple[list[tuple[SourceFileMutationData, str, int | None]], dict[str, SourceFileMutationData]]
_forking: Final = multiprocessing.get_context("fork")


class Runner(ForkServerRunner):
    """mutmut's runner, as far as it keeps its own process clean of tests; mutants go to warm processes."""

    def __init__(self, workers: int = 1) -> None:
        super().__init__(workers, PytestRunner, {})
        self._idle: list[Connection] = []
        self._busy: list[Connection] = []

    def startup(self) -> None:
        while len(self._idle) + len(self._busy) < self.max_workers:
            ours, theirs = _forking.Pipe()
            _forking.Process(target=_served, args=(theirs, ours)).start()
            theirs.close()
            self._idle.append(ours)

    def submit(self, mutant_name: str, tests: list[str], cpu_time_limit: int, estimated_time: float) -> None:  # noqa: ARG002 - mutmut's
        chosen = _quickest(tests)
        seconds = sum(state().duration_by_test[test] for test in chosen)
        limit = (seconds + config().timeout_constant) * config().timeout_multiplier
        self._submit(Task(mutant_name, chosen, limit))

    def _submit(self, task: Task) -> None:
        worker = self._idle.pop()
        worker.send(task)
        self._busy.append(worker)

    def has_capacity(self) -> bool:
        return bool(self._idle)

    def pending_count(self) -> int:
        return len(self._busy)

    def wait_for_result(self, timeout: float | None = None) -> MutantResult:
        for worker in wait(self._busy, timeout):
            assert isinstance(worker, Connection)  # noqa: S101 - nothing else is waited for
            self._busy.remove(worker)
            self._idle.append(worker)
            return MutantResult(*worker.recv())
        raise TimeoutError

    def collect_stats(self, tests: Iterable[str] | None) -> int:
        """Also forgets the hits of importing the code, which would be the first test's."""
        code = super().collect_stats(tests)
        imported: set[str] = self._run_in_child(_hit_by_importing)
        reached = state().tests_by_mangled_function_name
        first = set.intersection(*(reached[name] for name in imported if reached[name])) if imported else set()
        for name in imported:
            reached[name] -= first
        return code

    def run_clean_tests(self, tests: Iterable[str]) -> int:  # noqa: ARG002 - all of them, whatever is to run
        return self._noticed("")

    def run_forced_fail(self) -> int:
        return self._noticed("fail")

    def _noticed(self, mutant: str) -> int:
        self.startup()
        self._submit(Task(mutant, _quickest(state().duration_by_test), _FIRST_SECONDS))
        return self.wait_for_result().exit_code

    def signal_work_complete(self) -> None:
        """Nothing waits for the end of the work."""

    def stop_all_workers(self) -> None:
        self.shutdown()

    def shutdown(self) -> None:
        for worker in [*self._idle, *self._busy]:
            worker.close()
        self._idle, self._busy = [], []


def _hit_by_importing(runner: TestRunner) -> set[str]:
    set_mutant_under_test("stats")
    runner.list_all_tests()
    return set(state()._stats)  # noqa: SLF001 - mutmut tells it in no other way


def _served(tasks: Connection, unused: Connection) -> None:
    unused.close()
    os.chdir("mutants")
    settings = config()
    serve(tasks, [*settings.pytest_add_cli_args, *settings.pytest_add_cli_args_test_selection])


def _quickest(tests: Iterable[str]) -> Sequence[str]:
    """As many of the tests as there is time for, the quickest first."""
    chosen: list[str] = []
    seconds = 0.0
    for test in sorted(tests, key=lambda name: (state().duration_by_test[name], name)):
        seconds += state().duration_by_test[test]
        if chosen and seconds > _BUDGET_SECONDS:
            break
        chosen.append(test)
    return chosen


def _runs_at_import_only(mutant: str) -> bool:
    """Whether its function builds what a module holds, a statement mostly: that is done before a mutant is there."""
    tests = state().tests_by_mangled_function_name.get(mutant.partition("__mutmut_")[0])
    return tests is not None and not tests


def _sampled(*, mutant_names: tuple[str, ...] | list[str]) -> _Mutants:
    """As many mutants as SAMPLE says, drawn by the hash of their names: a larger sample holds the smaller."""
    mutants, by_path = _found(mutant_names=mutant_names)
    reachable = []
    for mutant in mutants:
        data, name, _ = mutant
        if _runs_at_import_only(name):
            data.exit_code_by_key[name] = _SKIPPED
        else:
            reachable.append(mutant)
    for data in by_path.values():
        data.save()
    drawn = sorted(reachable, key=lambda mutant: hashlib.sha256(mutant[1].encode()).digest())
    return drawn[: int(os.environ.get(SAMPLE, len(drawn)))], by_path


if __name__ == "__main__":
    # mutmut has no other way to hand it a runner, or to draw a sample
    vars(command).update(get_mutant_runner=Runner, collect_source_file_mutation_data=_sampled)
    command.cli(sys.argv[1:])
