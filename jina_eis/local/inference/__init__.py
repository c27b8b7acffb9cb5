"""Inference endpoints, request bodies and the stand-in models.

The ground of the embedded EIS: it knows no index, no query and no HTTP.
"""
