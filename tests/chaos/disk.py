"""Full disks, read-only and locked databases, clocks that jump back, half-written journals: a typed error while
the cause lasts, nothing lost, and everything works again when it is gone."""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import asyncpg

from gitu_core import GituError
from gitu_core.gateway import worker
from gitu_core.testing.crash import Lives, Result, folder
from gitu_core.testing.invariants import breaches
from tests.chaos import show, torn
from tests.chaos.service import Service, merged, refused, until
from tests.store.conftest import new_database, restarted, server

Breaches = dict[str, list[str]]

LASTS = 1.5
"""Seconds that a cause lasts."""


def run(options: argparse.Namespace) -> list[Result]:
    """Runs all cases; gives a result for each."""
    show.head("disks, locks and clocks")
    wanted = [(name, case) for name, case in CASES.items() if all(word in name for word in options.only)]
    with folder() as base, ThreadPoolExecutor(options.jobs) as pool:
        return list(pool.map(lambda each: judged(each[0], each[1], base / each[0].replace(" ", "-")), wanted))


def judged(name: str, case: Callable[[Path], Breaches], place: Path) -> Result:
    """Runs one case and says how it went."""
    began = time.monotonic()
    place.mkdir(parents=True, exist_ok=True)
    try:
        found = case(place)
    except TimeoutError as error:
        found = {"service is back": [str(error)]}
    result = Result(name, "", "idempotent", "postgresql" if "postgresql" in name else "sqlite", True, found,
                    time.monotonic() - began)  # fmt: skip
    show.verdict(not result.broken, f"{name}: {result.seconds:.0f} s", result.broken[:10])
    return result


# ---- something is in the way while it runs ---------------------------------------------------------------------


async def in_the_way(
    service: Service, begin: Callable[[], Awaitable[object]], end: Callable[[], Awaitable[object]], word: str
) -> Breaches:
    """Writing becomes impossible in the middle of a turn, and possible again."""
    world = service.world
    async with service.running() as gitu:
        await service.say("plain before", "effect before")
        world.say("plain held")
        await until(lambda: any(each.key == "plain held#0" for each in world.events("model.begun")), 10, "a held turn")
        await begin()
        service.model.go.set()
        world.say("plain meanwhile", "bob")
        wrong = await refused(gitu, "k", word)
        await anyio.sleep(LASTS)
        await end()
        await service.answered("plain held", "plain meanwhile")
        await service.say("approval after", "effect after")
        reply = await gitu.send("plain direct", user="dan", key="k")
        if reply.text != "answer to <plain direct>":
            wrong.append(f"the message that was refused got another answer afterwards: {reply.text}")
    return merged({"typed error": wrong}, await service.breaches())


def full(place: Path) -> Breaches:
    """The disk is full."""
    with mounted(place / "small", "4m") as disk:
        service = Service(place, disk / "home")

        async def fill() -> None:
            with (disk / "ballast").open("wb", buffering=0) as file, suppress(OSError):
                for size in (1 << 16, 1):
                    with suppress(OSError):
                        while file.write(b"x" * size):
                            pass

        async def free() -> None:
            (disk / "ballast").unlink()

        return anyio.run(in_the_way, service, fill, free, "full")


def read_only(place: Path) -> Breaches:
    """The database refuses to be written."""
    service = Service(place)

    async def pragma(value: str) -> None:
        # Not through the writer, which could not end its transaction any more.
        service.gitu.house.store.engine._writer.execute(f"PRAGMA query_only = {value}")  # type: ignore[attr-defined]

    return anyio.run(in_the_way, service, lambda: pragma("ON"), lambda: pragma("OFF"), "read-only")


def read_only_start(place: Path) -> Breaches:
    """The file system is read-only when the process starts, with work left over from a life before."""
    with mounted(place / "disk", "16m") as disk:
        lives = Lives(place)
        lives.home = disk / "home"
        lives.case = type(lives.case)(str(place / "world"), str(lives.home))
        lives.world.say("effect one")
        lives.live("world.model.begun:kill")
        remount(disk, "ro")

        async def start() -> list[str]:
            service = Service(place, lives.home)
            try:
                async with service.running():
                    return ["it started although nothing can be written"]
            except GituError as error:
                return [] if error.hint else [f"the error has no hint: {error}"]
            except OSError as error:
                return [f"{type(error).__name__} instead of an error of Gitu: {error}"]

        wrong = anyio.run(start)
        remount(disk, "rw")
        lives.rest()
        return merged({"typed error": wrong}, breaches(lives.evidence()))


def locked(place: Path) -> Breaches:
    """Another process holds the database locked, for longer than anybody waits."""
    service = Service(place)
    other: list[sqlite3.Connection] = []

    async def begin() -> None:
        other.append(sqlite3.connect(service.home / "gitu.db", isolation_level=None))
        other[0].execute("BEGIN IMMEDIATE")

    async def end() -> None:
        other[0].close()

    return anyio.run(in_the_way, service, begin, end, "locked")


def locked_for_long(place: Path) -> Breaches:
    """The same for so long that people are told; then their answers come all the same."""
    with patched(worker, "TRY_FOR", 1.0):
        found = locked(place)
    told = [each for each in Service(place).world.events("sent") if each.text.startswith("I could not finish this")]
    return found if told else merged(found, {"typed error": ["nobody was told"]})


# ---- PostgreSQL ------------------------------------------------------------------------------------------------


def postgres_read_only(place: Path) -> Breaches:
    """The server turns read-only, as a primary that became a standby does."""
    with server(str(place)) as url:
        service = Service(place, database=new_database(url))

        async def turn(value: str) -> None:
            connection: Any = await asyncpg.connect(url)
            await connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
            await connection.execute("SELECT pg_reload_conf()")
            await connection.close()
            await anyio.sleep(0.2)

        return anyio.run(in_the_way, service, lambda: turn("on"), lambda: turn("off"), "read-only")


def postgres_gone(place: Path) -> Breaches:
    """The server is killed and comes back."""
    with server(str(place)) as url:
        service = Service(place, database=new_database(url))
        data = Path(url.partition("host=")[2])

        async def kill() -> None:
            pid = int((data / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGKILL)
            await anyio.sleep(0.3)

        async def start() -> None:
            await anyio.to_thread.run_sync(restarted, data)

        return anyio.run(in_the_way, service, kill, start, "server")


# ---- clocks ----------------------------------------------------------------------------------------------------


def clock(place: Path) -> Breaches:
    """The clock jumps back by an hour: between messages, while something waits to be sent again, over a restart."""
    service = Service(place)
    hour = 3_600.0

    async def live() -> list[str]:
        wrong: list[str] = []
        async with service.running() as gitu:
            await service.say("plain 1", "effect 1")
            service.clock.offset -= hour
            await service.say("plain 2", "approval 2", within=5)
            service.adapter.down = True
            service.world.say("plain 3")
            await anyio.sleep(1.5)
            service.clock.offset -= hour
            service.adapter.down = False
            await service.answered("plain 3", within=10)
            (session, *_) = [each for each in await gitu.sessions() if each.messages]
        service.clock.offset -= hour
        async with service.running() as gitu:
            await service.say("plain 4", "effect 4", within=5)
            right = [each.text for each in service.world.events("said") if not each.ask]
            texts = [each.message.text for each in await gitu.history(session.id)]
            if (said := [text for text in texts if text in right]) != right:
                wrong.append(f"the history has another order: {said}, said was {right}")
        return wrong

    wrong = anyio.run(live)
    return merged({"order": wrong}, anyio.run(service.breaches))


# ---- journals --------------------------------------------------------------------------------------------------


def torn_commits(place: Path) -> Breaches:
    """The machine loses power while a commit is written: of its frames only half are there. Each commit once."""
    found: list[Breaches] = []
    for scenario in ("effect",):
        number = 0
        while number < 40:
            number += 1
            lives = Lives(place / f"{scenario}-{number}", before=f"{torn.__name__}:cut")
            lives.world.say(f"{scenario} one")
            if lives.live(f"writer.commit:kill:{number}").status == 0:
                break
            lives.rest()
            found.append(breaches(lives.evidence()))
            lives.world.close()
    return merged(*found)


def torn_tail(place: Path) -> Breaches:
    """Behind the last commit stands what is left of the next one: whole frames without an end, half of one, noise."""
    found: list[Breaches] = []
    for point in ("world.accept", "world.model.begun", "world.effect.after", "world.send.after"):
        for kind, tail in torn.tails():
            lives = Lives(place / f"{point}-{kind}")
            lives.world.say("effect one")
            lives.live(f"{point}:kill")
            torn.append(lives.home / "gitu.db-wal", tail)
            lives.rest()
            found.append(breaches(lives.evidence()))
            lives.world.close()
    return merged(*found)


# ---- helpers ---------------------------------------------------------------------------------------------------


@contextmanager
def patched(module: Any, name: str, value: object) -> Iterator[None]:
    """A module's constant has another value."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A file system in memory of at most *size*. `PermissionError` where nothing may be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise PermissionError(f"nothing can be mounted here ({done.stderr.strip()}); run this part as root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, mode: str) -> None:
    """Makes a mounted file system ``ro`` or ``rw``."""
    subprocess.run(["mount", "-o", f"remount,{mode}", str(folder)], check=True)


CASES: dict[str, Callable[[Path], Breaches]] = {
    "disk full": full, "database read-only": read_only, "file system read-only at the start": read_only_start,
    "database locked": locked, "database locked for long": locked_for_long,
    "postgresql read-only": postgres_read_only, "postgresql killed and back": postgres_gone,
    "clock jumps back": clock, "commits torn in half": torn_commits, "journal with a torn tail": torn_tail,
}  # fmt: skip
