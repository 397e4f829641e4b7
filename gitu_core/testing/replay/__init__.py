"""Recorded runs as files: exporting turns, running them again without model, tools or network, and comparing.

file.py     the format of an export
collect.py  makes one out of a store
redact.py   takes secrets out of it
track.py    what was recorded of a turn, and what came to it from outside
stands.py   what stands in for models, tools, hooks, approvals, time and the store
run.py      runs the turns again
differ.py   finds the first difference, and says it
"""
