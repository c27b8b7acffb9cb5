"""What a caller may pass in: text, image, audio, video, PDF, several fused, objects of other libraries, URLs.

An input is checked when it is made and never again. This room knows `models` and `errors`; it knows no wire format and no
framework.
"""
