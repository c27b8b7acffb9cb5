"""The public settings, and how steps meet a driver; the classes of both frameworks are thin over this room.

It knows no framework. `doctor`, `Endpoints` and the settings are public; the rest serves the framework packages.
"""
