"""What a plugin may ask of the host, as facets. A plugin gets one `Host` with the facets its manifest declares.

Every facet is async and takes and gives values, so that it works the same from a process of its own. A facet that the
manifest does not declare, or that this host does not offer, raises `FacetUnavailable` when it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import msgspec

from gitu_core.contracts.admin import Admin as Admin
from gitu_core.contracts.base import contract
from gitu_core.errors import FacetUnavailable
from gitu_core.model import UNLABELLED, BlobRef, Conversation, Hit, Label, MemoryQuery, Part, Value

__all__ = [
    "FACETS", "Admin", "Asking", "Blobs", "Entry", "FileInfo", "Files", "Host", "Http", "HttpRequest", "HttpResponse",
    "Kv", "Log", "Models", "Notify", "Recall", "Schedule", "Secrets",
]  # fmt: skip


class Entry(Value, frozen=True):
    """One stored value of a plugin. `person` and `label` let export and erasure reach it."""

    key: str
    value: Any = None
    person: str = ""
    label: Label = UNLABELLED


class HttpRequest(Value, frozen=True):
    """A request to a declared host. ``{secret:NAME}`` in a header is filled in by the host, never by the plugin."""

    url: str
    method: str = "GET"
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""
    timeout: float = 30.0


class HttpResponse(Value, frozen=True):
    """What came back."""

    status: int
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""


class FileInfo(Value, frozen=True):
    """One file or folder under a declared root. `modified` is in seconds since 1970, UTC."""

    path: str
    size: int = 0
    folder: bool = False
    modified: float = 0.0


@contract("host.log")
class Log(Protocol):
    """Writes to the host's log under the plugin's name. Content of messages does not belong there."""

    async def write(self, level: Literal["debug", "info", "warning", "error"], text: str) -> None:
        """Writes one line."""


@contract("host.kv")
class Kv(Protocol):
    """The plugin's own small store, one namespace a plugin."""

    async def get(self, key: str) -> Entry | None:
        """The entry, or None."""

    async def put(self, entry: Entry) -> None:
        """Stores or replaces an entry."""

    async def delete(self, key: str) -> bool:
        """Removes an entry; tells whether there was one."""

    async def list(self, prefix: str = "", person: str = "") -> Sequence[Entry]:
        """The entries whose key begins with *prefix*, of one person where given, by key."""


@contract("host.blobs")
class Blobs(Protocol):
    """Bytes, named by their content. Written and read in pieces of at most a mebibyte."""

    async def begin(self, media_type: str = "application/octet-stream", name: str = "") -> str:
        """Opens a new blob; gives the handle to write to."""

    async def write(self, handle: str, data: bytes) -> None:
        """Appends to an open blob."""

    async def commit(self, handle: str, person: str = "", label: Label = UNLABELLED) -> BlobRef:
        """Closes it and gives its name."""

    async def read(self, blob: BlobRef, offset: int = 0, size: int = 1 << 20) -> bytes:
        """A piece of a blob; empty at its end."""


@contract("host.secrets")
class Secrets(Protocol):
    """Secrets that the manifest declares as ``revealed``."""

    async def reveal(self, name: str) -> str:
        """The secret itself. `AuthFailed` when nobody has set it. Never log it, never put it into a result."""


@contract("host.http")
class Http(Protocol):
    """Requests to the hosts that the manifest declares."""

    async def request(self, request: HttpRequest) -> HttpResponse:
        """Sends it. `Denied` for other hosts; `Unknown` when it may have arrived and no answer came."""


@contract("host.files")
class Files(Protocol):
    """Files under the roots that the manifest declares."""

    async def list(self, path: str) -> Sequence[FileInfo]:
        """What is in a folder, by name."""

    async def read(self, path: str, offset: int = 0, size: int = 1 << 20) -> bytes:
        """A piece of a file; empty at its end."""

    async def write(self, path: str, data: bytes, append: bool = False) -> None:
        """Writes or extends a file."""


@contract("host.model")
class Models(Protocol):
    """Asks a model on the plugin's own budget."""

    async def complete(self, prompt: str, schema: dict[str, Any] | None = None, model: str = "") -> Any:
        """The answer: text, or a value that fits *schema*. *model* empty = whatever the router picks."""


@contract("host.memory")
class Recall(Protocol):
    """Searches what the memory believes, as far as the principal may see it."""

    async def search(self, query: MemoryQuery) -> Sequence[Hit]:
        """The claims that fit best."""


@contract("host.ask")
class Asking(Protocol):
    """Asks a person."""

    async def ask(self, person: str, question: str, choices: Sequence[str], timeout: float = 300.0) -> str:
        """The choice made on any of the person's channels. `NotReady` when nobody answered in *timeout* seconds."""

    async def permission(
        self, person: str, tool: str, reason: str, when: dict[str, Sequence[str]] | None = None,
        most: dict[str, float] | None = None, days: float | None = None, uses: int | None = None,
    ) -> str:  # fmt: skip
        """Asks a person to allow calls of *tool* beforehand, and does not wait: a yes counts whenever it comes, within
        a week. *when* holds patterns and *most* the largest amounts of arguments. Gives the id of the question."""


@contract("host.notify")
class Notify(Protocol):
    """Says something of the plugin's own accord, through the outbox."""

    async def send(self, conversation: Conversation, parts: Sequence[Part], key: str) -> str:
        """Queues a message under an idempotency key; gives its id."""


@contract("host.schedule")
class Schedule(Protocol):
    """Durable timers."""

    async def at(self, when: float, key: str, data: dict[str, Any]) -> None:
        """Hands *data* back to the plugin at *when* (seconds since 1970, UTC), once; the same key replaces."""

    async def cancel(self, key: str) -> bool:
        """Removes a timer; tells whether there was one."""


@contract("host")
class Host(Protocol):
    """What a plugin may ask for. `config` is its configuration, checked against its schema."""

    plugin: str
    config: dict[str, Any]
    log: Log
    kv: Kv
    blobs: Blobs
    secrets: Secrets
    http: Http
    files: Files
    model: Models
    memory: Recall
    ask: Asking
    notify: Notify
    schedule: Schedule
    admin: Admin


class Missing:
    """Stands for a facet that is not there, and for every part of it. Whatever is called on it is refused with the
    reason."""

    def __init__(self, facet: str, why: str, hint: str) -> None:
        self._facet, self._why, self._hint = facet, why, hint

    def __getattr__(self, part: str) -> Missing:
        if part.startswith("__"):
            raise AttributeError(part)
        return Missing(f"{self._facet}.{part}", self._why, self._hint)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuses."""
        what = f"host.{self._facet} was called {self._why}"
        raise FacetUnavailable(what, hint=self._hint, facet=self._facet.partition(".")[0])


FACETS = ("log", "kv", "blobs", "secrets", "http", "files", "model", "memory", "ask", "notify", "schedule", "admin")
"""Every facet, in the order of the class above."""
