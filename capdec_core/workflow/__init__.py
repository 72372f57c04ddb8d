"""The grid beyond one process: a Snakefile over `capdec cell`, on this machine's GPUs or through a scheduler.

`start` is the door, `jobs` says which programs of cells are missing (`plan` is that list as a file, which the
Snakefile reads), `program` computes one of them.
"""
