"""The smallest plugin: one typed function, no manifest."""


def beacon(number: int, colour: str = "green") -> str:
    """Tells how a beacon shines."""
    return f"Beacon {number} shines {colour}."
