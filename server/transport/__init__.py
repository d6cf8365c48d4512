"""The fast path between a socket and a file, plugged into uvicorn as its protocol class.

It offers two ASGI extensions to the application and changes nothing else: `http.response.zerocopysend`, as
ASGI specifies it, and `partway.receive`, which drains a request body from the socket into a sink. Handlers do
not know of it: `server.receiving` and `server.sending` use the extensions where the scope has them.
"""
