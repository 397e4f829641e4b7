"""Tools made by the decorator, handed over by the hook."""

from typing import Annotated, Literal

from gitu_core import Role, ToolContext, tool
from gitu_core.errors import ToolError


@tool
def wind_chill(temperature: float, speed: float = 10.0, unit: Literal["C", "F"] = "C") -> dict[str, object]:
    """Tells the wind chill.

    Args:
        temperature: In degrees.
        speed: Of the wind.
    """
    return {"feels": temperature - speed / 5, "unit": unit}


@tool(name="lookup", description="Looks a page up.", roles={"page": "query"}, timeout=5)
async def look(context: ToolContext[None], page: Annotated[str, Role("query")]) -> str:
    """Progress, a principal and a failure of its own kind."""
    await context.progress("looking", 0.5)
    if page == "missing":
        raise ToolError("there is no such page", hint="name another one")
    return f"{page} for {'somebody' if context.info.principal else 'nobody'}"


def gitu_tools(host):
    """Tools that a model may call."""
    return [wind_chill, look]
