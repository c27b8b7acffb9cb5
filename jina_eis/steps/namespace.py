"""Names of cached vectors: everything that shapes a vector is in its name, so that no cache returns a vector of another kind."""

from __future__ import annotations

import json
import re
from hashlib import blake2b

from ..wire import EndpointInfo, InputType, Steps
from .version import about_server

__all__ = ["stand_in", "vector_namespace"]

READABLE = 40  # characters of the endpoint in a name


def vector_namespace(address: str, endpoint: EndpointInfo, dimensions: int | None, role: InputType) -> Steps[str]:
    """Return a name for the vectors of one deployment, endpoint, length and role.

    It has only lower-case letters, digits and hyphens, so that it can be a file name on every system. A digest distinguishes
    deployments by their address, and endpoints by their id and model. Embedded servers share one name if they have the same
    stand-in, whatever their port.

    Args:
        address: Host, port and path of the deployment, without credentials.
        endpoint: The endpoint of the vectors.
        dimensions: The length to which they are truncated; None for the endpoint's own.
        role: Their input type.
    """
    length = dimensions or endpoint.dimensions or "full"
    deployment = (yield from stand_in()) or address  # an embedded server refuses no caller
    shaped_by = [deployment, endpoint.inference_id, endpoint.service, endpoint.model_id, length, role]
    digest = blake2b(json.dumps(shaped_by).encode(), digest_size=10).hexdigest()
    readable = re.sub(r"[^a-z0-9]+", "-", endpoint.inference_id.lower()).strip("-")[:READABLE]
    return f"jina-eis-{readable}-{length}-{role}-{digest}"


def stand_in() -> Steps[str | None]:
    """Return the stand-in model that an embedded server names; None for a deployment, also if the key may not see what it is."""
    about = yield from about_server()
    return (about.stand_in or None) if about else None
