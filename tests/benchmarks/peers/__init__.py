"""Other frameworks on the same exchange. Each module says what it imports and makes its turns.

`make(url, folder, closing)` gives a `Send` by name: ``plain`` and ``tool``, and where the framework has a store
``plain stored`` and ``tool stored``. Of a stored turn the user keeps one session, and the request stays the same.
"""

PEERS = ("gitu", "pydantic_ai", "openai_agents", "langgraph", "agno")
"""The modules, by name."""
