"""Recorded runs as files: exporting turns, running them again without model, tools or network, and comparing.

file.py     the format of an export
collect.py  makes one out of a store
known.py    the secrets of an installation
forms.py    finds those in a text, in whatever form
looks.py    finds what looks like a secret
redact.py   takes both out of an export
track.py    what was recorded of a turn, and what came to it from outside
stands.py   what stands in for models, tools, hooks, approvals, time and the store
run.py      runs the turns again
differ.py   finds the first difference, and says it
"""
