"""Benchmarks: CPU and wall time of what Gitu does often, side by side with the alternatives.

What holds for all of them: variants take turns in one process, round after round, so that a busy machine disturbs them
alike. CPU is the median over the rounds, of the measuring process with all its threads; that of the model server and
of a database server is theirs. Turns a second are those of the best round. The model server is a process of its own
that answers from memory; its capacity, and the share of the time in which it was busy, are printed beside the figures.

Everybody sends the same requests (`exchange.py`); the server keeps bodies, and a run ends where they differ. Stored
turns wait for the disk: `synchronous=FULL` is checked, and the kind of file system is printed.
"""
