"""How a program that nobody will change speaks: dialects as data, learnt by experiment, and translation between them.

A *dialect* (`dialect.py`) is messages with holes (`template.py`) for each *kind* of message (`vocabulary.py`).
`client.py` and `server.py` say what to try on a program, `interview.py` and `finding.py` what follows from it;
`detect.py` tells which dialect a client speaks; `translate.py` stands between a client of one dialect and a server of
another. Nothing here does I/O.
"""
