"""The capabilities, as generators of calls: embed, rerank, search, index, manage endpoints, check a deployment.

A step yields calls, receives their answers in order and returns its result. There is no socket, thread, event loop, clock or
environment variable here, and nothing of `transport`.
"""
