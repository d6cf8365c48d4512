"""HTTP field values, read and written by pure functions.

One module for each field or family of fields. Nothing here does I/O, keeps state or knows the web framework.
A field value is a `str` as the server decoded it (latin-1), without surrounding whitespace; several lines of
one field are joined with `", "` (RFC 9110, 5.3).
"""
