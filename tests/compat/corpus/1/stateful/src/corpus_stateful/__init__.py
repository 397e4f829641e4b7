"""A plugin class whose tool is written out, reads its configuration and keeps state through the host."""

from gitu_core.contracts import Entry, ToolResult, ToolSpec


class Counter:
    """Counts."""

    spec = ToolSpec(
        "count_up",
        "Counts up.",
        {"type": "object", "properties": {"by": {"type": "integer"}}, "additionalProperties": False},
    )

    def __init__(self, host):
        self._host = host

    async def run(self, call, context):
        """Adds to what is kept."""
        entry = await self._host.kv.get("count")
        count = (entry.value if entry else self._host.config["first"]) + call.arguments.get("by", 1)
        await self._host.kv.put(Entry("count", count, person=context.info.principal))
        await self._host.log.write("info", "counted")
        kept = await self._host.kv.list("c")
        return ToolResult(content={"count": count, "unit": self._host.config["unit"], "keys": [e.key for e in kept]})

    async def verify(self, call, context):
        """Nobody can tell."""
        return ToolResult("unknown")


class Plugin:
    """Counts things."""

    def __init__(self):
        self.migrated = None

    async def gitu_migrate(self, host, before, after):
        """Writes what its first version begins with."""
        await host.kv.put(Entry("count", host.config["first"] * after))

    async def gitu_tools(self, host):
        """Tools that a model may call."""
        return [Counter(host)]
