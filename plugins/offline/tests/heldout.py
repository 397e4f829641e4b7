"""Phrasings over the shipped tools and ten made-up ones, written before the rules were last changed.

What was missed then has shaped the rules since, so that only the first figure in `test_heldout` says how well they do
with words that nobody tried: whoever changes the rules writes a new set, and notes its first figure.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from gitu_core import tool
from gitu_core.contracts import ToolSpec

PLUGINS = Path(__file__).parents[2]


def shipped(plugin: str) -> tuple[ToolSpec, ...]:
    """The tools in the manifest of a plugin of this repository, as the host reads them."""
    (manifest,) = (PLUGINS / plugin / "src").glob("*/gitu-plugin.toml")
    raw = tomllib.loads(manifest.read_text("utf-8"))
    return tuple(msgspec.json.decode(each["spec"], type=ToolSpec) for each in raw["contributes"])


@tool
def find_book(title: str, author: str = "") -> str:
    """Looks up a book in the library catalogue."""
    return f"{title} {author}"


@tool(effects=("write",))
def reserve_book(title: str) -> str:
    """Reserves a book at the library.

    Args:
        title: The title of the book.
    """
    return title


@tool
def weather(city: str, days: int = 1) -> str:
    """The weather forecast for a city.

    Args:
        city: Which city.
        days: For how many days.
    """
    return f"{city} {days}"


@tool(effects=("write",))
def set_lights(room: str, brightness: int) -> str:
    """Sets the brightness of the lights in a room, in percent."""
    return f"{room} {brightness}"


@tool(effects=("write",))
def draft_email(recipient: str, subject: str, body: str = "") -> str:
    """Drafts an e-mail.

    Args:
        recipient: Who gets it.
        subject: What it is about.
        body: What it says.
    """
    return f"{recipient} {subject} {body}"


@tool
def invoice_total(number: str) -> float:
    """The total of an invoice in euros.

    Args:
        number: The number of the invoice, such as INV-1042.
    """
    return len(number)


@tool(effects=("write",))
def create_invoice(customer: str, amount: float) -> str:
    """Creates an invoice for a customer."""
    return f"{customer} {amount}"


@tool
def stock(item: str) -> int:
    """How many pieces of an item are in stock."""
    return len(item)


@tool
def greeting(name: str) -> str:
    """Makes a greeting for a name."""
    return name


@tool
def departures(station: str) -> list[str]:
    """The next trains that leave a station."""
    return [station]


MADE_UP = tuple(
    each.spec
    for each in (
        find_book, reserve_book, weather, set_lights, draft_email, invoice_total, create_invoice, stock, greeting,
        departures,
    )
)  # fmt: skip

Calls = list[tuple[str, dict[str, Any]]]


def calc(*expressions: str) -> tuple[str, dict[str, Any]]:
    """A call of the calculator with any of these expressions; blanks do not count."""
    return "calculate", {"expression": frozenset(each.replace(" ", "") for each in expressions)}


def to(value: float, source: str, target: str) -> tuple[str, dict[str, Any]]:
    """A call of the unit converter."""
    return "convert", {"value": value, "source": source, "target": target}


BASICS: list[tuple[str, Calls]] = [
    ("Hey, what's the time in Nairobi?", [("clock", {"place": "Nairobi"})]),
    ("do you know what time it is in Buenos Aires right now", [("clock", {"place": "Buenos Aires"})]),
    ("time in Sydney and in London", [("clock", {"place": "Sydney"}), ("clock", {"place": "London"})]),
    ("What's today's date?", [("clock", {})]),
    ("is it Monday today?", [("clock", {})]),
    ("Lisbon time please", [("clock", {"place": "Lisbon"})]),
    ("What is the current time in “Los Angeles”?", [("clock", {"place": "Los Angeles"})]),
    ("15% of 80", [calc("15% of 80")]),
    ("What is 2+2*10?", [calc("2+2*10")]),
    ("how much is 18 percent of 250", [calc("18 percent of 250", "18% of 250")]),
    ("What's (12 - 4) / 2?", [calc("(12 - 4) / 2")]),
    ("9 times 9 minus 1", [calc("9 times 9 minus 1", "9*9-1")]),
    ("can you work out 3.5 * 1,200 for me?", [calc("3.5 * 1,200", "3.5*1200")]),
    ("sqrt(2) + 1", [calc("sqrt(2) + 1")]),
    ("What is the square root of 2025?", [calc("square root of 2025", "the square root of 2025", "sqrt(2025)")]),
    ("7 to the power of 3?", [calc("7 to the power of 3", "7**3", "7^3")]),
    ("What do I get if I divide 144 by 12?", [calc("144 / 12", "144 divided by 12")]),
    ("how far is 26.2 miles in kilometres?", [to(26.2, "miles", "kilometres")]),
    ("How many ounces are in 3 kilograms?", [to(3, "kilograms", "ounces")]),
    ("37 degrees celsius to fahrenheit", [to(37, "degrees celsius", "fahrenheit")]),
    ("please change 500 ml into cups", [to(500, "ml", "cups")]),
    ("what's 6 ft in metres", [to(6, "ft", "metres")]),
    ("how many minutes are there in 2.5 hours?", [to(2.5, "hours", "minutes")]),
    ("Remember that Eva's birthday is on 4 May", [("note", {"text": "Eva's birthday is on 4 May"})]),
    ("write down: pay the rent", [("note", {"text": "pay the rent"})]),
    ("Please make a note saying the Wi-Fi is slow", [("note", {"text": "the Wi-Fi is slow"})]),
    ("jot down that the meeting moved to room 7", [("note", {"text": "the meeting moved to room 7"})]),
    ("what notes do I have about rent?", [("notes", {"query": "rent"})]),
    ("Show me all my notes", [("notes", {})]),
    ("delete note 4", [("forget_note", {"number": 4})]),
    ("Hello", []),
    ("Thanks a lot!", []),
    ("Write a poem", []),
    ("What is the meaning of life?", []),
    ("Who wrote Hamlet?", []),
    ("How are you today?", []),
    ("What is the tallest mountain in the world?", []),
    ("Tell me a joke about mathematics", []),
    ("I'd like to learn to play the piano, how do I begin?", []),
    ("What was the reason for the fall of Rome?", []),
]

OTHERS: list[tuple[str, Calls]] = [
    ('How many pieces of the item "lamp" are in stock?', [("stock", {"item": "lamp"})]),
    ("how many desks are in stock?", [("stock", {"item": "desks"})]),
    ("Is the green sofa in stock?", [("stock", {"item": "green sofa"})]),
    ('Make a greeting for the name "Ada"', [("greeting", {"name": "Ada"})]),
    ("make a greeting for Grace Hopper.", [("greeting", {"name": "Grace Hopper"})]),
    ("please greet Bob", [("greeting", {"name": "Bob"})]),
    ("What's the weather like in Oslo?", [("weather", {"city": "Oslo"})]),
    ("Give me the forecast for Rome for the next 5 days", [("weather", {"city": "Rome", "days": 5})]),
    ("Madrid weather", [("weather", {"city": "Madrid"})]),
    ("What is the weather in Paris and in Berlin?", [("weather", {"city": "Paris"}), ("weather", {"city": "Berlin"})]),
    ("is “Moby Dick” in the library?", [("find_book", {"title": "Moby Dick"})]),
    ("Look up the book Dune by Frank Herbert", [("find_book", {"title": "Dune", "author": "Frank Herbert"})]),
    ("find the book 'The Hobbit' in the catalogue", [("find_book", {"title": "The Hobbit"})]),
    ("reserve the book Emma", [("reserve_book", {"title": "Emma"})]),
    ('Could you please reserve "War and Peace" for me?', [("reserve_book", {"title": "War and Peace"})]),
    ("set the lights in the kitchen to 40 percent", [("set_lights", {"room": "kitchen", "brightness": 40})]),
    ("Set the brightness in the living room to 75", [("set_lights", {"room": "living room", "brightness": 75})]),
    ("dim the bedroom lights to 10%", [("set_lights", {"room": "bedroom", "brightness": 10})]),
    (
        "draft an e-mail to ana@example.org about the picnic",
        [("draft_email", {"recipient": "ana@example.org", "subject": "the picnic"})],
    ),
    (
        'draft an email to Carla with the subject "Budget"',
        [("draft_email", {"recipient": "Carla", "subject": "Budget"})],
    ),
    ("What is the total of invoice INV-2207?", [("invoice_total", {"number": "INV-2207"})]),
    ("how much is the invoice INV-17 in total", [("invoice_total", {"number": "INV-17"})]),
    ("create an invoice for Acme Ltd over 250.50", [("create_invoice", {"customer": "Acme Ltd", "amount": 250.5})]),
    (
        "Create an invoice of 99 euros for the customer “Blue Bakery”",
        [("create_invoice", {"customer": "Blue Bakery", "amount": 99})],
    ),
    ("Which trains leave from Victoria?", [("departures", {"station": "Victoria"})]),
    ("When do the next trains leave the station Basel SBB?", [("departures", {"station": "Basel SBB"})]),
    ("show departures at King's Cross", [("departures", {"station": "King's Cross"})]),
    (
        'What\'s the weather in Oslo, and how many pieces of "tent" are in stock?',
        [("weather", {"city": "Oslo"}), ("stock", {"item": "tent"})],
    ),
    ("next trains from Lyon?", [("departures", {"station": "Lyon"})]),
    ("How many pieces of garden chair are in stock?", [("stock", {"item": "garden chair"})]),
    ("good morning", []),
    ("ok, thank you for the help", []),
    ("Write me a short story about a lighthouse", []),
    ("Why do cats purr?", []),
    ("Who invented the light bulb?", []),
    ("What does inflation mean?", []),
    ("I am so tired of trains", []),
    ("Who painted the Mona Lisa?", []),
    ("Should I read more books?", []),
    ("summarise the history of Rome in two sentences", []),
]
