"""Text out of pages and pictures, as steps: find an endpoint that reads them, then one call for each page.

Two kinds of endpoints read a page: a model for OCR, behind a chat completion, takes one image; document extraction also takes
a PDF. A page of a PDF is rendered for the first and cut out for the second, just before its call is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from ..contents import Medium, page_image, page_pdf
from ..errors import AuthorizationError, ConfigurationError, JinaEISError, RequestRejectedError
from ..wire import Call, EndpointInfo, PageText, Steps, ask, extract_text, get_endpoint, list_endpoints, read_image
from .names import find_endpoint
from .version import Version, server_version

__all__ = ["DEFAULT_DPI", "PAGES_IN_FLIGHT", "PAGE_TIMEOUT", "Extractor"]

OCR_ENDPOINT = ".jina-ocr-v1-chat_completion"
OCR, EXTRACTION = "chat_completion", "document_extraction"
JSON_COMPLETIONS = Version.parse("9.6")  # the first version whose chat completions need not be streams
PAGE_TIMEOUT = 120.0  # seconds, Elasticsearch's default; a first call took more than 60
PAGES_IN_FLIGHT = 8  # each is in memory as an image
DEFAULT_DPI = 200  # usual for OCR of print; none is published for the model


@dataclass(frozen=True, slots=True)
class Extractor:
    """Reads the text of pages.

    Args:
        inference_id: An endpoint of task `chat_completion` with a model for OCR, or of task `document_extraction`. None: the
            preconfigured endpoint for OCR if the deployment has it, else one of task `document_extraction`.
        dpi: Dots an inch of a page of a PDF that is rendered.
        timeout: Seconds that the service may take for a page.
    """

    inference_id: str | None = None
    dpi: int = DEFAULT_DPI
    timeout: float = PAGE_TIMEOUT

    def plan(self) -> Steps[tuple[EndpointInfo, bool]]:
        """Return the endpoint, and whether its responses are requested as streams. `calls` needs both.

        Raises:
            ConfigurationError: the deployment has no endpoint that reads pages, or `inference_id` is none.
            EndpointNotFoundError: the deployment has no endpoint with this id.
        """
        endpoint = (yield from _describe(self.inference_id)) if self.inference_id else (yield from _find_default())
        if endpoint.task == EXTRACTION:
            return endpoint, False
        if endpoint.task != OCR or "ocr" not in (endpoint.model_id or endpoint.inference_id):
            raise ConfigurationError(
                f"{endpoint.inference_id} is an endpoint for {endpoint.task} with {endpoint.model_id or 'an unknown model'}, "
                f"which does not read pages. Use {OCR_ENDPOINT}, or an endpoint for {EXTRACTION}."
            )
        version = yield from server_version()
        return endpoint, version is None or version < JSON_COMPLETIONS

    def calls(self, endpoint: EndpointInfo, stream: bool, medium: Medium, pages: int) -> Iterator[Call[PageText]]:
        """Yield one call for each page of a PDF, or one for an image.

        Args:
            endpoint: The first result of `plan`.
            stream: The second result of `plan`.
            medium: A PDF or an image.
            pages: The number of its pages; 1 for an image.
        """
        for number in range(1, pages + 1):
            if endpoint.task == EXTRACTION:
                load = partial(page_pdf, medium, number) if medium.modality == "pdf" and pages > 1 else lambda: medium
                yield extract_text(endpoint.inference_id, load, timeout=self.timeout, position=number - 1)
                continue
            load = partial(page_image, medium, number, self.dpi) if medium.modality == "pdf" else lambda: medium
            read = partial(read_image, endpoint.inference_id, load, timeout=self.timeout, position=number - 1)
            yield read(stream=True) if stream else replace(read(stream=False), rescue=partial(_as_stream, read(stream=True)))


def _as_stream(stream: Call[PageText], call: Call[PageText], error: JinaEISError, others: bool) -> Steps[PageText]:
    """Request a stream if the deployment has nothing else: the JSON response is experimental."""
    if not (isinstance(error, RequestRejectedError) and "stream" in (error.reason or "")):
        raise error from error.__cause__
    (text,) = yield from ask([stream])
    return text


def _describe(inference_id: str) -> Steps[EndpointInfo]:
    """Describe an endpoint. A key that may not see it gets a guess from its id, which names the task if it is preconfigured."""
    try:
        (endpoint,) = yield from ask([get_endpoint(inference_id)])
    except AuthorizationError:
        return EndpointInfo(inference_id, OCR if "ocr" in inference_id else EXTRACTION, "elastic", None, None)
    return endpoint


def _find_default() -> Steps[EndpointInfo]:
    """Return the endpoint for OCR, which is generally available, or else one for extraction, which is experimental."""
    try:
        preconfigured = yield from find_endpoint(OCR_ENDPOINT)
    except AuthorizationError:
        return EndpointInfo(OCR_ENDPOINT, OCR, "elastic", None, None)
    if preconfigured and not preconfigured.denied:
        return preconfigured
    (endpoints,) = yield from ask([list_endpoints()])
    for endpoint in sorted(endpoints, key=lambda endpoint: endpoint.inference_id):
        if endpoint.task == EXTRACTION and not endpoint.denied:
            return endpoint
    denied = f"{OCR_ENDPOINT} is denied by its region policy" if preconfigured else f"it lacks {OCR_ENDPOINT} (Elastic Stack 9.5)"
    raise ConfigurationError(
        f"This deployment has no endpoint that reads pages: {denied}, and has none for {EXTRACTION} (9.6). Pass the inference_id "
        "of such an endpoint, or extract the text here, for example with pypdf."
    )
