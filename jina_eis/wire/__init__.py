"""What is sent and what comes back: a builder for every request, with the reader that checks its answer.

The only room that knows paths, bodies, JSON keys and formats. A reader returns what was asked for or raises a typed error.
Nothing here sends, waits or remembers.
"""
