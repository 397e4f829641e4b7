"""The tools of a package's servers, and the command that asks the servers what they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from gitu_core.contracts import CommandSpec, Context, ErrorInfo, ToolCall, ToolResult
from gitu_core.errors import GituError, ToolError
from gitu_marketplace.agent.agreed import SECONDS, Agreed, Pinned

if TYPE_CHECKING:
    from gitu_marketplace.agent.link import Link

LONGEST = 200_000
"""Characters of one text in a result."""


class ServerTool:
    """One tool of a server, as it was when the operator agreed to it."""

    def __init__(self, pinned: Pinned, link: Link) -> None:
        self.spec = pinned.spec
        self._pinned, self._link = pinned, link

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        """Calls it. Refused where the server says something else of it than was agreed to."""
        now = (await self._link.listed()).get(self._pinned.name)
        if now is None or now.digest != self._pinned.digest:
            did = "no longer has" if now is None else "changed"
            raise ToolError(f"the server {self._pinned.server} {did} the tool {self._pinned.name}",
                            hint=f"nothing was done; the operator can agree: {self._link.agree}")  # fmt: skip
        return result_of(await self._link.call(self._pinned.name, call.arguments, SECONDS, context.info.key))

    async def verify(self, call: ToolCall, context: Context) -> ToolResult:
        """Nobody can tell: the protocol has no such question."""
        return ToolResult("unknown")


class AskServers:
    """Tells which tools the servers have, as JSON; for the marketplace, which shows them to the operator."""

    def __init__(self, agreed: Agreed, links: list[Link]) -> None:
        description = f"Tells which tools the servers of {agreed.name} have, as JSON."
        self.spec = CommandSpec(agreed.command, description, {"type": "object", "properties": {}})
        self._links = links

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        """Asks each; one that fails is named with the reason."""
        said: dict[str, Any] = {}
        for link in self._links:
            try:
                said[link.name] = {"tools": list((await link.listed()).values())}
            except GituError as error:
                said[link.name] = {"trouble": error.message}
            await link.close()
        return ToolResult(content=msgspec.json.encode(said, order="deterministic").decode())


def result_of(answer: Any) -> ToolResult:
    """What a server answered (`mcp_types.CallToolResult`), as data. Pictures and sounds are named, not handed on."""
    texts = [_block(each) for each in answer.content]
    content: Any = answer.structured_content
    if content is None:
        content = texts[0] if len(texts) == 1 else texts
    if answer.is_error:
        said = " ".join(texts)[:2_000] or "it did not say why"
        return ToolResult("error", error=ErrorInfo("tool", f"the server says: {said}"))
    return ToolResult(content=content)


def _block(block: Any) -> str:
    if (text := getattr(block, "text", None)) is not None:
        return str(text)[:LONGEST]
    if (resource := getattr(block, "resource", None)) is not None:
        return str(getattr(resource, "text", None) or f"[a file: {resource.uri}]")[:LONGEST]
    if uri := getattr(block, "uri", None):
        return f"[a link: {uri}]"[:2_000]
    return f"[{block.type}: {getattr(block, 'mime_type', '')}, left out]"[:200]
