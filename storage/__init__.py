"""The storage of Partway: uploads become files, durably, and nothing here knows HTTP.

`engine.Engine` is the door; `blobs` and `catalog` hold the two contracts it stands on and their backends.
"""
