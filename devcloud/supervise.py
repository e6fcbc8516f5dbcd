"""Supervises the processes of the local cloud: starts them, restarts the host on changes, and ends them together."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from watchfiles import Change, awatch

from devcloud.children import Child, ChildEnded, ProcessSpec


NOT_WATCHED = {"tests", "docs", "infra", "scripts", "node_modules", "build", "__pycache__"}

Changes = asyncio.Queue[set[str]]
Show = Callable[[str], None]
Step = Callable[[], Awaitable[None]]


class Supervisor:
    """The first spec is the Functions host; only it is restarted on a change."""

    def __init__(
        self, specs: Sequence[ProcessSpec], environment: Mapping[str, str], *, project: Path, show: Show
    ) -> None:
        self._specs = specs
        self._environment = environment
        self._project = project
        self._show = show
        self._children: dict[str, Child] = {}
        self._stopping = asyncio.Event()

    async def run(self, prepare: Step, when_ready: Step) -> None:
        """Runs until a signal; all started processes have ended at its return.

        The children start while `prepare` runs, and are used after it.

        Raises:
            ChildEnded: a process ended on its own.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stopping.set)
        work = asyncio.ensure_future(self._work(prepare, when_ready))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            work.cancel()
            stopping.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await asyncio.gather(*(child.stop() for child in self._children.values()))

    async def _work(self, prepare: Step, when_ready: Step) -> None:
        async with watch_changes(self._project) as changes:
            await self._start(prepare, when_ready)
            await self._watch(changes)

    async def _start(self, prepare: Step, when_ready: Step) -> None:
        await asyncio.gather(*(self._start_child(spec) for spec in self._specs))
        await prepare()
        await asyncio.gather(*(child.wait_until_ready() for child in self._children.values()))
        for child in self._children.values():
            child.show_output()
        await when_ready()

    async def _watch(self, changes: Changes) -> None:
        tasks = [asyncio.ensure_future(self._reload(changes))]
        tasks += [asyncio.ensure_future(self._watch_over(spec)) for spec in self._specs[1:]]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _start_child(self, spec: ProcessSpec) -> Child:
        child = await Child.start(spec, self._environment, self._show)
        self._children[spec.name] = child
        return child

    async def _watch_over(self, spec: ProcessSpec) -> None:
        raise await self._children[spec.name].wait_for_end()

    async def _reload(self, changes: Changes) -> None:
        host = self._specs[0]
        while True:
            change = asyncio.ensure_future(changes.get())
            child_end = asyncio.ensure_future(self._children[host.name].wait_for_end())
            try:
                await asyncio.wait((change, child_end), return_when=asyncio.FIRST_COMPLETED)
                if not change.done():
                    raise await child_end
                names = change.result()
                while not await self._restart(host, names):
                    names = await changes.get()
            finally:
                change.cancel()
                child_end.cancel()

    async def _restart(self, host: ProcessSpec, names: set[str]) -> bool:
        self._show(f"{', '.join(sorted(names))} changed: restarting the host")
        await self._children[host.name].stop()
        try:
            child = await self._start_child(host)
            await child.wait_until_ready()
        except ChildEnded as wait_for_end:
            self._show(f"{wait_for_end}\nwaiting for the next change")
            return False
        child.show_output()
        return True


@contextlib.asynccontextmanager
async def watch_changes(project: Path) -> AsyncIterator[Changes]:
    """The names of changing sources; virtual environments and data are not watched."""
    directories = _watched_directories(project)
    changes = Changes()

    async def watch(*paths: Path, recursive: bool) -> None:
        async for found in awatch(*paths, watch_filter=_is_source, recursive=recursive):
            changes.put_nowait({str(Path(path).relative_to(project)) for _, path in found})

    watching = [asyncio.ensure_future(watch(project, recursive=False))]
    if directories:
        watching.append(asyncio.ensure_future(watch(*directories, recursive=True)))
    await asyncio.sleep(0)  # a watch starts with the first step of its task
    try:
        yield changes
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)


def _watched_directories(project: Path) -> list[Path]:
    return [
        path
        for path in project.iterdir()
        if path.is_dir() and not path.name.startswith(".") and path.name not in NOT_WATCHED
    ]


def _is_source(_change: Change, path: str) -> bool:
    return path.endswith((".py", "/host.json")) and "/__pycache__/" not in path
