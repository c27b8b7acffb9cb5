"""Compatibility: models whose vectors can be compared, and models that embed a given input."""

from __future__ import annotations

from collections.abc import Sequence

from ..contents import Content, Part
from ..errors import ConfigurationError, InputError
from ..models import EVERYTHING, MODELS, TEXT, EmbeddingModel, Modality, RerankModel, find_model, preconfigured
from ..wire import EndpointInfo, Steps
from .endpoints import describe_endpoint, known_endpoint
from .names import suggestion

__all__ = [
    "check_images",
    "check_modalities",
    "check_rankable",
    "check_same_space",
    "check_spaces",
    "compare",
    "known_to_share_space",
    "share_space",
]

_WITH_ARTICLE = {"text": "a text", "image": "an image", "audio": "a sound", "video": "a video", "pdf": "a PDF"}


def share_space(one: str, other: str) -> bool:
    """Whether the vectors of two models can be compared, so that texts indexed with one can be searched with the other.

    Args:
        one: A preconfigured endpoint, or another name of a model.
        other: Another one.

    Raises:
        ConfigurationError: for a user's own endpoint, which only the deployment knows. Call `shares_space_with` of an adapter.
    """
    models = []
    for name in (one, other):
        model = preconfigured(name) or find_model(name)
        if not isinstance(model, EmbeddingModel):
            known = {model.name: model for model in MODELS if isinstance(model, EmbeddingModel)}
            sentences = (
                f"{name!r} is not a known embedding model.",
                suggestion(name, known),
                f"Known are {', '.join(known)}; for an endpoint of your own, call shares_space_with of an adapter.",
            )
            raise ConfigurationError(" ".join(filter(None, sentences)))
        models.append(model)
    return models[0].space == models[1].space


def compare(one: str, other: str, dimensions: int | None) -> Steps[bool]:
    """Whether the vectors of two endpoints can be compared, truncated to these dimensions, or in full.

    Raises:
        ConfigurationError: for models that are not in the table.
    """
    first = yield from describe_endpoint(one)
    second = yield from describe_endpoint(other)
    if (comparable := _comparable(first, second, dimensions)) is None:
        raise _not_known(first, second)
    return comparable


def known_to_share_space(one: str, other: str) -> bool:
    """Whether two preconfigured endpoints embed into the same vector space; False also if one is not preconfigured."""
    first, second = known_endpoint(one), known_endpoint(other)
    return bool(first and second and _comparable(first, second, None))


def check_spaces(endpoint: EndpointInfo, other: EndpointInfo, dimensions: int | None) -> None:
    """Raise ConfigurationError if the vectors of two endpoints cannot be compared."""
    if _comparable(endpoint, other, dimensions) is False:
        alternatives = [model.endpoint for model in _models_of_space(other) if model.endpoint != other.inference_id]
        remedy = f"Use {' or '.join(alternatives)} with {other.inference_id}." if alternatives else "Use one of them for both."
        raise ConfigurationError(
            f"{_description(endpoint)} and {_description(other)} embed into different vector spaces. {remedy}"
        )


def check_same_space(endpoint: EndpointInfo, other: EndpointInfo) -> None:
    """As `check_spaces`, in full length; also if it is not known whether the vectors can be compared."""
    check_spaces(endpoint, other, None)
    if _comparable(endpoint, other, None) is None:
        raise _not_known(endpoint, other)


def check_images(inference_id: str) -> None:
    """Raise ConfigurationError if the endpoint is known not to embed images."""
    endpoint = known_endpoint(inference_id)
    if endpoint and "image" not in _modalities(endpoint):
        raise ConfigurationError(f"{inference_id} embeds no images. {_endpoint_that_embeds(['image'], endpoint)}")


def check_modalities(endpoint: EndpointInfo, contents: Sequence[Content], positions: Sequence[int]) -> None:
    """Raise InputError at the first input that the endpoint cannot embed. It names the position and a suitable endpoint."""
    supported = _modalities(endpoint)
    for position, content in zip(positions, contents, strict=True):
        parts = content if isinstance(content, tuple) else (content,)
        modalities: list[Modality] = ["text" if isinstance(part, str) else part.modality for part in parts]
        unsupported = next((modality for modality in modalities if modality not in supported), None)
        if unsupported or (len(parts) > 1 and endpoint.task != "embedding"):
            if unsupported:
                problem = f"{'holds' if len(parts) > 1 else 'is'} {_WITH_ARTICLE[unsupported]}"
                limit = f"embeds only {' and '.join(supported)}"
            else:
                problem, limit = f"consists of {len(parts)} parts", "embeds only single texts"
            raise InputError(
                f"Input {position} {problem}, but {endpoint.inference_id} {limit}. {_endpoint_that_embeds(modalities, endpoint)}"
            )


def check_rankable(endpoint: EndpointInfo | None, query: Content, documents: Sequence[Content]) -> tuple[Part, list[Part]]:
    """Return the query and the documents. Raises InputError for one that the endpoint does not rank; it names a suitable one.

    Of an endpoint that is not described yet (None) or whose model is not in the table, no modality is refused.
    """
    model = find_model(endpoint.model_id or "") if endpoint else None
    supported = model.modalities if isinstance(model, RerankModel) else EVERYTHING

    def check(name: str, content: Content) -> Part:
        if isinstance(content, str):
            return content
        if isinstance(content, tuple):
            raise InputError(f"{name} consists of {len(content)} parts. A reranker scores single texts and images.")
        if content.modality in supported:
            return content
        suitable = [other.endpoint for other in MODELS if isinstance(other, RerankModel) and content.modality in other.modalities]
        remedy = f"Use {' or '.join(suitable)}." if suitable else "No reranker does: pass its text."
        raise InputError(
            f"{name} is {_WITH_ARTICLE[content.modality]}, but {endpoint.inference_id if endpoint else 'it'} ranks only "
            f"{' and '.join(f'{modality}s' for modality in supported)}. {remedy}"
        )

    return check("The query", query), [check(f"Input {position}", document) for position, document in enumerate(documents)]


def _modalities(endpoint: EndpointInfo) -> Sequence[Modality]:
    """Return the modalities that an endpoint embeds, or all of them if its model is not known."""
    model = find_model(endpoint.model_id or "")
    known = model.modalities if isinstance(model, EmbeddingModel) else EVERYTHING
    return known if endpoint.task == "embedding" else TEXT


def _comparable(one: EndpointInfo, other: EndpointInfo, dimensions: int | None) -> bool | None:
    """Whether their vectors can be compared; None if it is not known."""
    if dimensions is None and one.dimensions and other.dimensions and one.dimensions != other.dimensions:
        return False
    if one.model_id and one.model_id == other.model_id:
        return True
    models = find_model(one.model_id or ""), find_model(other.model_id or "")
    if not all(isinstance(model, EmbeddingModel) for model in models):
        return None
    return share_space(models[0].name, models[1].name)  # type: ignore[union-attr]


def _not_known(one: EndpointInfo, other: EndpointInfo) -> ConfigurationError:
    return ConfigurationError(
        f"It is not known whether the vectors of {_description(one)} and {_description(other)} can be compared."
    )


def _models_of_space(endpoint: EndpointInfo) -> list[EmbeddingModel]:
    """Return the models that embed into the vector space of an endpoint."""
    model = find_model(endpoint.model_id or "")
    if not isinstance(model, EmbeddingModel):
        return []
    return [other for other in MODELS if isinstance(other, EmbeddingModel) and other.space == model.space]


def _description(endpoint: EndpointInfo) -> str:
    length = f", {endpoint.dimensions} dimensions" if endpoint.dimensions else ""
    return f"{endpoint.inference_id} ({endpoint.model_id or 'model unknown'}{length})"


def _endpoint_that_embeds(modalities: Sequence[Modality], endpoint: EndpointInfo) -> str:
    """Return a sentence that names an endpoint for these modalities, if possible in the same vector space."""
    suitable = [
        model
        for model in MODELS
        if isinstance(model, EmbeddingModel) and model.task == "embedding" and set(modalities) <= set(model.modalities)
    ]
    same_space = [model for model in suitable if model in _models_of_space(endpoint)]
    if same_space:
        choose = "choose it as inference_id, or for queries as search_inference_id"
        return f"{same_space[0].endpoint} does, in the same vector space: {choose}."
    return f"{suitable[0].endpoint} does, in another vector space: embed again with it what is indexed."
