"""The same without an event loop of your own."""

from gitu_core import SyncGitu, tool


@tool
def greeting(name: str) -> str:
    """Makes a greeting for the name of a person."""
    return f"Good day, {name}!"


with SyncGitu(model="offline/offline", tools=[greeting]) as gitu:
    print(gitu.send('Make a greeting for the name "Ada"', user="u1").text)
    for session in gitu.sessions("u1"):
        print(session.person, session.messages)
