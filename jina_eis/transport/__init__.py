"""Sends calls, at a pace: addresses, clients, pacing, and the two drivers (threads and tasks).

This room knows `wire.Call` and no capability. What explains an error is passed to the driver by the adapter.
"""
