"""The author's tools: a new plugin, its checks and its quality tier, what its hooks do, and a loop for writing it."""
