"""A remote for providers that speak the HTTP protocol of `ModelServer`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType

from gitu_core.testing.model_server import Answer as Answers
from gitu_core.testing.model_server import ChatRequest, Fail, ModelServer, Say, echo

_FAILS = {
    "rate": Fail(429, "slow down", headers={"Retry-After": "1"}), "down": Fail(503, "overloaded"),
    "overflow": Fail(400, "This model's maximum context length is 8 tokens.", "context_length_exceeded"),
    "rejected": Fail(404, "there is no such model", "model_not_found"),
}  # fmt: skip


class ServedModel:
    """A `ModelServer` as the remote of `ModelProviderLaws`. It repeats what it is told unless `answer` says otherwise.

    *key* is the credential that it takes. *names* turns the name of a tool into what the provider calls it there.
    """

    def __init__(self, key: str = "", names: Callable[[str], str] = str) -> None:
        self._key, self._names = key, names
        self._next: Answers | None = None
        self._server = ModelServer(self._answers, key=key)

    @property
    def url(self) -> str:
        """Where it serves."""
        return self._server.url

    async def __aenter__(self) -> ServedModel:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        traceback: TracebackType | None) -> None:  # fmt: skip
        await self._server.__aexit__(kind, error, traceback)

    def answer(self, text: str, calls: Sequence[tuple[str, str]]) -> None:
        """Says this next, and again until something else is to be said."""
        said = Say(text, [(self._names(tool), arguments) for tool, arguments in calls], cut=7)
        self._always = said

    async def fail(self, how: str) -> None:
        """Fails next."""
        if how == "gone":
            await self._server.__aexit__()
        elif how == "auth":
            self._next = Fail(401, f"Incorrect API key provided: {self._key}", "invalid_api_key")
        elif how == "broken":
            self._next = Say("a long answer " * 20, break_after=6, gap=0.02)
        else:
            self._next = _FAILS[how]

    def open(self) -> int:
        """How many answers are streamed now."""
        return self._server.open_streams

    _always: Answers | None = None

    def _answers(self, request: ChatRequest) -> Answers:
        said, self._next = self._next, None
        return said or self._always or echo(request)
