"""A remote for providers that speak the HTTP protocol of `ModelServer`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from anyio.from_thread import start_blocking_portal

from gitu_core.testing.model_server import Answer as Answers
from gitu_core.testing.model_server import ChatRequest, Fail, ModelServer, Say, echo

_FAILS = {
    "rate": Fail(429, "slow down", headers={"Retry-After": "1"}), "down": Fail(503, "overloaded"),
    "overflow": Fail(400, "This model's maximum context length is 8 tokens.", "context_length_exceeded"),
    "rejected": Fail(404, "there is no such model", "model_not_found"),
}  # fmt: skip


class ServedModel:
    """A `ModelServer` as the remote of `ModelProviderLaws`, in a thread of its own, so that no task of it is taken for
    one of the provider. It repeats what it is told unless `answer` says otherwise.

    *key* is the credential that it takes. *names* turns the name of a tool into what the provider calls it there.
    """

    def __init__(self, key: str = "", names: Callable[[str], str] = str) -> None:
        self._key, self._names = key, names
        self._next: Answers | None = None
        self._always: Answers | None = None
        self._server = ModelServer(self._answers, key=key)
        self._serving = ExitStack()

    @property
    def url(self) -> str:
        """Where it serves."""
        return self._server.url

    def __enter__(self) -> ServedModel:
        portal = self._serving.enter_context(start_blocking_portal())
        self._serving.enter_context(portal.wrap_async_context_manager(self._server))
        return self

    def __exit__(self, *_: object) -> None:
        self._serving.close()

    def answer(self, text: str, calls: Sequence[tuple[str, str]]) -> None:
        """Says this next, and again until something else is to be said."""
        self._always = Say(
            text, [(self._names(tool), arguments) for tool, arguments in calls], cut=7 + len(text) // 200
        )

    def fail(self, how: str) -> None:
        """Fails next."""
        if how == "gone":
            self._serving.close()
        elif how == "auth":
            self._next = Fail(401, f"Incorrect API key provided: {self._key}", "invalid_api_key")
        elif how == "broken":
            self._next = Say("a long answer " * 20, break_after=6, gap=0.02)
        else:
            self._next = _FAILS[how]

    @property
    def keep_alive(self) -> bool:
        """Whether connections may be used again."""
        return self._server.keep_alive

    @keep_alive.setter
    def keep_alive(self, may: bool) -> None:
        self._server.keep_alive = may

    def open(self) -> int:
        """How many answers are streamed now."""
        return self._server.open_streams

    def _answers(self, request: ChatRequest) -> Answers:
        said, self._next = self._next, None
        return said or self._always or echo(request)
