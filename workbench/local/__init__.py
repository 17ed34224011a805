"""A Hub on this machine: a Jobs API that runs jobs as processes, and (for the demo and the tests) a small Hub.

`serve.py` starts and finds the server; `app.py` wires it. Files of one concern each: `auth` and `http` (what every
request passes), `store`, `repos`, `listing`, `viewer` (the Hub), `jobs`, `jobstore`, `supervisor`, `sse`, `metrics`
(jobs), `uv_standin` (runs inside a job). Nothing here knows of datasets' meaning, plans or runs.
"""
