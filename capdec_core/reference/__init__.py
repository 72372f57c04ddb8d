"""Reference results: what a finished book showed, kept in the repository, and the report made from them.

results/reference/<profile>/
    manifest.json     code version, profile, seeds, machines, the cost of each cell, the hash of every other file
    ledger.csv, .json the claims ledger
    tables/<chapter>.csv      one tidy table a chapter: scores, costs and tests, one number a line
    figures/<chapter>_<figure>.svg
    chapters/<chapter>.ipynb  the chapter as it was executed: its tables and sentences; figures by their file

Why executed chapters, and not scores from which the chapters run again? Then the report would be made by
today's code from yesterday's cells, which is the mixture that a reference must not be; its tables would be equal
only as long as no library rounds differently; it would need the corpus and the encoder all the same (the geometry of
the gap, acceptance measured on embeddings, captions compared with captions); and per-image scores of a photo
scale weigh a hundred times what was computed from them. An executed chapter is what the code of one version said
about the cells of the same version, and binding it takes seconds. The tidy tables hold the numbers behind it for
whoever wants to calculate with them.

A reference is whole or refused: the manifest has the hash of every file, so that files of two runs do not mix, and a
report never holds chapters of both a reference and this machine.
"""
