"""What people say, and what the offline model should call for it. The tools are defined here and known to
nobody."""

from __future__ import annotations

from typing import Any

from gitu_core.contracts import ToolSpec

S = {"type": "string"}
N = {"type": "number"}


def spec(name: str, description: str, required: str = "", acts: bool = False, **properties: Any) -> ToolSpec:
    """A tool; every argument that *required* does not name is optional."""
    schema = {"type": "object", "properties": properties, "required": required.split()}
    return ToolSpec(name, description, schema, effects=("write",) if acts else ("read",))


TOOLS = (
    spec(
        "clock",
        "Tells the time and the date, here or in another place.",
        place={**S, "description": "City or time zone."},
    ),
    spec("calculate", "Works out an arithmetic expression.", "expression", expression=S),
    spec("convert", "Converts a value from one unit to another.", "value source target", value=N, source=S, target=S),
    spec("note", "Keeps a note.", "text", True, text=S),
    spec("notes", "Finds notes that were kept; all of them without a query.", query=S),
    spec(
        "weather_forecast",
        "Weather forecast for a city.",
        "city",
        city=S,
        days={"type": "integer", "minimum": 1, "maximum": 14},
    ),
    spec("send_email", "Sends an e-mail to somebody.", "to body", True, to={**S, "format": "email"}, subject=S, body=S),
    spec("translate", "Translates a text into another language.", "text language", text=S, language=S),
    spec("roll_dice", "Rolls dice.", sides={"type": "integer"}, count={"type": "integer"}),
    spec("fetch_page", "Reads a web page.", "url", url={**S, "format": "uri"}),
    spec(
        "set_light",
        "Switches a lamp in a room on or off.",
        "room state",
        True,
        room={**S, "enum": ["kitchen", "bedroom", "hall"]},
        state={**S, "enum": ["on", "off"]},
    ),
    spec(
        "book_table",
        "Books a table at a restaurant.",
        "guests date",
        True,
        guests={"type": "integer"},
        date={**S, "format": "date"},
    ),
    spec("stock_price", "Tells the price of a share.", "symbol", symbol={**S, "pattern": "^[A-Z]{2,5}$"}),
    spec("define", "Gives the definition of a word.", "word", word=S),
)

Expected = tuple[str, dict[str, Any]]

PHRASINGS: list[tuple[str, list[Expected]]] = [
    ("what time is it in Tokyo?", [("clock", {"place": "Tokyo"})]),
    ("What time is it?", [("clock", {})]),
    ("what's the time in New York right now?", [("clock", {"place": "New York"})]),
    ("current time in São Paulo", [("clock", {"place": "São Paulo"})]),
    ("What is the date today?", [("clock", {})]),
    ("tell me the time please", [("clock", {})]),
    ("what day is it", [("clock", {})]),
    ("Could you tell me what time it is in Berlin?", [("clock", {"place": "Berlin"})]),
    ("time in london", [("clock", {"place": "london"})]),
    ("what time is it in Asia/Tokyo", [("clock", {"place": "Asia/Tokyo"})]),
    ("2+2*10", [("calculate", {"expression": "2+2*10"})]),
    ("what is 2 + 2?", [("calculate", {"expression": "2 + 2"})]),
    ("calculate (3+4)*5", [("calculate", {"expression": "(3+4)*5"})]),
    ("what's 15% of 80?", [("calculate", {"expression": "15/100* 80"})]),
    ("how much is 12 times 7", [("calculate", {"expression": "12 * 7"})]),
    ("what is seven plus eight?", [("calculate", {"expression": "7 + 8"})]),
    ("compute 1,200 / 8", [("calculate", {"expression": "1200 / 8"})]),
    ("square root of 144", [("calculate", {"expression": "sqrt(144)"})]),
    ("please work out 2^10", [("calculate", {"expression": "2**10"})]),
    ("What is 100 divided by 8?", [("calculate", {"expression": "100 / 8"})]),
    ("3 x 4", [("calculate", {"expression": "3*4"})]),
    ("convert 5 km to miles", [("convert", {"value": 5, "source": "km", "target": "miles"})]),
    ("how many miles is 5 km?", [("convert", {"value": 5, "source": "km", "target": "miles"})]),
    ("100 F in C", [("convert", {"value": 100, "source": "F", "target": "C"})]),
    ("what is 3.5 feet in cm?", [("convert", {"value": 3.5, "source": "feet", "target": "cm"})]),
    ("how many grams are in 2 pounds", [("convert", {"value": 2, "source": "pounds", "target": "grams"})]),
    ("Convert 20 °C to °F", [("convert", {"value": 20, "source": "°C", "target": "°F"})]),
    ("convert 2 fluid ounces to ml please", [("convert", {"value": 2, "source": "fluid ounces", "target": "ml"})]),
    ("how many seconds are in an hour?", [("convert", {"value": 1, "source": "hour", "target": "seconds"})]),
    ("remember that my bike is blue", [("note", {"text": "my bike is blue"})]),
    ("note: call Anna", [("note", {"text": "call Anna"})]),
    ("Please remember to buy milk", [("note", {"text": "buy milk"})]),
    ("make a note that the door code is 1234", [("note", {"text": "the door code is 1234"})]),
    ("note that I like tea", [("note", {"text": "I like tea"})]),
    ("take a note: dentist on Friday", [("note", {"text": "dentist on Friday"})]),
    ("save a note saying the car is on level 3", [("note", {"text": "the car is on level 3"})]),
    ("show my notes", [("notes", {})]),
    ("what did I note about my bike?", [("notes", {"query": "my bike"})]),
    ("find notes about tea", [("notes", {"query": "tea"})]),
    ("list all notes", [("notes", {})]),
    ("what do you remember about Anna?", [("notes", {"query": "Anna"})]),
    ("What's the weather in Paris?", [("weather_forecast", {"city": "Paris"})]),
    ("weather forecast for Berlin for 3 days", [("weather_forecast", {"city": "Berlin", "days": 3})]),
    ("will it rain in Rome tomorrow?", [("weather_forecast", {"city": "Rome"})]),
    ("do I need an umbrella in London", [("weather_forecast", {"city": "London"})]),
    (
        "send an email to bob@example.org saying see you at noon",
        [("send_email", {"to": "bob@example.org", "body": "see you at noon"})],
    ),
    (
        'mail ana@example.org "the report is ready"',
        [("send_email", {"to": "ana@example.org", "body": "the report is ready"})],
    ),
    ('translate "good morning" to French', [("translate", {"text": "good morning", "language": "French"})]),
    ("translate hello into German", [("translate", {"text": "hello", "language": "German"})]),
    ("roll a dice", [("roll_dice", {})]),
    ("roll 2 dice with 20 sides", [("roll_dice", {"sides": 20, "count": 2})]),
    ("read https://example.org/news", [("fetch_page", {"url": "https://example.org/news"})]),
    ("open the page https://example.org", [("fetch_page", {"url": "https://example.org"})]),
    ("switch on the light in the kitchen", [("set_light", {"room": "kitchen", "state": "on"})]),
    ("turn the bedroom lamp off", [("set_light", {"room": "bedroom", "state": "off"})]),
    ("book a table for 4 on 2027-03-05", [("book_table", {"guests": 4, "date": "2027-03-05"})]),
    ("please book a restaurant table for two people tomorrow", [("book_table", {"guests": 2, "date": "2027-01-16"})]),
    ("what is the price of AAPL?", [("stock_price", {"symbol": "AAPL"})]),
    ("define serendipity", [("define", {"word": "serendipity"})]),
    ("what is the definition of entropy?", [("define", {"word": "entropy"})]),
    (
        "What time is it in Tokyo? And what is 2+2?",
        [("clock", {"place": "Tokyo"}), ("calculate", {"expression": "2+2"})],
    ),
    (
        "what time is it in Tokyo and what is 3*7?",
        [("clock", {"place": "Tokyo"}), ("calculate", {"expression": "3*7"})],
    ),
    (
        "convert 5 km to miles and remember that I ran today",
        [("convert", {"value": 5, "source": "km", "target": "miles"}), ("note", {"text": "I ran today"})],
    ),
    ("hello", []),
    ("who are you?", []),
    ("thank you very much", []),
    ("write me a poem about the sea", []),
    ("tell me a long story about time travel and dragons", []),
    ("what is the capital of France?", []),
    ("why is the sky blue?", []),
    ("I feel sad today", []),
    ("explain quantum entanglement to a child", []),
]
