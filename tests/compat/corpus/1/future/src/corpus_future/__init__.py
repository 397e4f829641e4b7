"""A tool whose manifest says more than this version reads."""

from gitu_core import tool


@tool
def horizon(height: float) -> str:
    """Tells how far one sees."""
    return f"{3.57 * height**0.5:.1f} km"


def gitu_tools(host):
    """Tools that a model may call."""
    return [horizon]
