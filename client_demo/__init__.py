"""The demonstration clients of Partway: a command-line client, a Python API and a web page.

They speak HTTP only, so they show what any client of the server can do, and import neither `server` nor
`storage`. Read `api.py` for the two calls, `uploads.py` and `downloads.py` for how a transfer goes on from
where it stopped. The Python client needs a POSIX system.
"""
