"""What happened: submitting a run, reading its log, following it into the ledger, and the money it costs.

`ledger.py` is the one place where a run is kept; `follow.py` writes it from the streams; screens only read it – so a
job looks the same live, after a reconnect, and a month later offline. `events.py` and `logparse.py` turn lines into
points.
"""
