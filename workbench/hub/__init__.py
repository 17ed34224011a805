"""Talking to the Hub: who we are, the catalog, dataset rows, jobs, and the log and metric streams.

Everything goes through the unmodified `huggingface_hub` client to the endpoint in the settings – a real Hub
or the one on this machine, with no second code path. `client.py` owns the connection; the other files answer
one question each with frozen records. Nothing here knows of recipes, ledgers or screens.
"""
