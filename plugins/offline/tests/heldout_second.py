"""A second set of phrasings and tools, written after the rules for the first one and before they were tried on it."""

from __future__ import annotations

from gitu_core import tool

from .heldout import Calls, calc, to


@tool
def shipping_days(country: str) -> int:
    """How many days shipping to a country takes."""
    return len(country)


@tool
def double(number: int) -> int:
    """Doubles a number."""
    return 2 * number


@tool
def exchange_rate(currency: str) -> float:
    """The exchange rate of a currency against the euro."""
    return len(currency)


@tool
def recipe(dish: str, servings: int = 4) -> str:
    """A recipe for a dish.

    Args:
        dish: What to cook.
        servings: For how many people.
    """
    return f"{dish} {servings}"


@tool(effects=("write",))
def water_plant(plant: str, millilitres: int) -> str:
    """Waters a plant with so many millilitres."""
    return f"{plant} {millilitres}"


@tool
def ticket_status(ticket: str) -> str:
    """Tells the status of a support ticket.

    Args:
        ticket: The ticket, such as SUP-88.
    """
    return ticket


@tool(effects=("write",))
def assign_ticket(ticket: str, person: str) -> str:
    """Assigns a support ticket to a colleague.

    Args:
        ticket: The ticket, such as SUP-88.
        person: Who takes care of it.
    """
    return f"{ticket} {person}"


@tool
def opening_hours(shop: str) -> str:
    """The opening hours of a shop."""
    return shop


@tool
def population(city: str) -> int:
    """How many people live in a city."""
    return len(city)


@tool(effects=("execute",))
def play_song(title: str, artist: str = "") -> str:
    """Plays a song on the speakers."""
    return f"{title} {artist}"


MORE = tuple(
    each.spec
    for each in (
        shipping_days, double, exchange_rate, recipe, water_plant, ticket_status, assign_ticket, opening_hours,
        population, play_song,
    )
)  # fmt: skip

SECOND: list[tuple[str, Calls]] = [
    ("How many days does shipping to France take?", [("shipping_days", {"country": "France"})]),
    ("how long is shipping to the Netherlands", [("shipping_days", {"country": "Netherlands"})]),
    ("Double the number 21", [("double", {"number": 21})]),
    ("what is double 8?", [("double", {"number": 8})]),
    ("what's the exchange rate of the yen?", [("exchange_rate", {"currency": "yen"})]),
    ("exchange rate for Swiss francs please", [("exchange_rate", {"currency": "Swiss francs"})]),
    ("Find me a recipe for lentil soup", [("recipe", {"dish": "lentil soup"})]),
    ("a recipe for pancakes for 6 people", [("recipe", {"dish": "pancakes", "servings": 6})]),
    ("water the fern with 200 millilitres", [("water_plant", {"plant": "fern", "millilitres": 200})]),
    ("Please water “Aloe Vera” with 50 ml", [("water_plant", {"plant": "Aloe Vera", "millilitres": 50})]),
    ("What is the status of ticket SUP-4711?", [("ticket_status", {"ticket": "SUP-4711"})]),
    ("assign SUP-12 to Maria Lopez", [("assign_ticket", {"ticket": "SUP-12", "person": "Maria Lopez"})]),
    ("Can you assign the ticket SUP-9 to Tom?", [("assign_ticket", {"ticket": "SUP-9", "person": "Tom"})]),
    ("what are the opening hours of the bakery?", [("opening_hours", {"shop": "bakery"})]),
    ("When is the shop “Green Corner” open?", [("opening_hours", {"shop": "Green Corner"})]),
    ("How many people live in Mexico City?", [("population", {"city": "Mexico City"})]),
    ("population of Cairo and of Lima", [("population", {"city": "Cairo"}), ("population", {"city": "Lima"})]),
    ("play “Yesterday” by The Beatles", [("play_song", {"title": "Yesterday", "artist": "The Beatles"})]),
    ("Play the song Imagine by John Lennon.", [("play_song", {"title": "Imagine", "artist": "John Lennon"})]),
    ("what time is it in Cape Town and how much is 6 * 7?", [("clock", {"place": "Cape Town"}), calc("6*7")]),
    ("20 percent of 45 please", [calc("20 percent of 45", "20% of 45")]),
    ("turn 12 stones into kilograms", [to(12, "stones", "kilograms")]),
    ("Note to self: renew the passport", [("note", {"text": "renew the passport"})]),
    ("good evening, how is it going?", []),
    ("Compose a song about autumn", []),
    ("What do people in Japan eat for breakfast?", []),
    ("When did the Second World War end?", []),
    ("Why is water wet?", []),
    ("I love this song", []),
    ("that was great, thank you", []),
]
