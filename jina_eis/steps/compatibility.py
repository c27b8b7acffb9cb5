"""What goes together: models whose vectors can be compared, and models that embed a given input."""

from __future__ import annotations

from collections.abc import Sequence

from ..contents import Content
from ..errors import ConfigurationError, InputError
from ..models import EVERYTHING, MODELS, TEXT, EmbeddingModel, Modality, find_model, preconfigured
from ..wire import EndpointInfo, Steps
from .endpoints import describe_endpoint, known_endpoint

__all__ = ["check_images", "check_modalities", "check_spaces", "compare", "share_space"]

_A = {"text": "a text", "image": "an image", "audio": "a sound", "video": "a video", "pdf": "a PDF"}


def share_space(one: str, other: str) -> bool:
    """Whether the vectors of two models can be compared, so that texts indexed with one can be searched with the other.

    Args:
        one: A preconfigured endpoint, or the name of a model.
        other: Another one.

    Raises:
        ConfigurationError: for an endpoint of your own, which only the deployment knows: ask an adapter's
            `shares_space_with`.
    """
    models = []
    for name in (one, other):
        model = preconfigured(name) or find_model(name)
        if not isinstance(model, EmbeddingModel):
            known = ", ".join(each.name for each in MODELS if isinstance(each, EmbeddingModel))
            raise ConfigurationError(
                f"{name!r} is no embedding model that is known here. Known are {known}; "
                "for an endpoint of your own, ask an adapter's shares_space_with."
            )
        models.append(model)
    return models[0].space == models[1].space


def compare(one: str, other: str, dimensions: int | None) -> Steps[bool]:
    """Whether the vectors of two endpoints can be compared, if they are cut to these dimensions, or not at all.

    Raises:
        ConfigurationError: for models that are not in the table.
    """
    first = yield from describe_endpoint(one)
    second = yield from describe_endpoint(other)
    if (comparable := _comparable(first, second, dimensions)) is None:
        raise ConfigurationError(f"It is not known whether the vectors of {_vectors(first)} and {_vectors(second)} compare.")
    return comparable


def check_spaces(endpoint: EndpointInfo, other: EndpointInfo, dimensions: int | None) -> None:
    """Raise ConfigurationError if the vectors of two endpoints cannot be compared."""
    if _comparable(endpoint, other, dimensions) is False:
        beside = [model.endpoint for model in _space(other) if model.endpoint != other.inference_id]
        raise ConfigurationError(
            f"{_vectors(endpoint)} and {_vectors(other)} embed into different vector spaces. "
            + (f"Beside {other.inference_id} goes {' or '.join(beside)}." if beside else "Use one of them for both.")
        )


def check_images(inference_id: str) -> None:
    """Raise ConfigurationError if the endpoint is known to embed no images."""
    endpoint = known_endpoint(inference_id)
    if endpoint and "image" not in _modalities(endpoint):
        raise ConfigurationError(f"{inference_id} embeds no images. {_one_that_embeds(['image'], endpoint)}")


def check_modalities(endpoint: EndpointInfo, contents: Sequence[Content], positions: Sequence[int]) -> None:
    """Raise InputError at the first input that the endpoint does not embed, with its position and a model that does."""
    able = _modalities(endpoint)
    for position, content in zip(positions, contents, strict=True):
        parts = content if isinstance(content, tuple) else (content,)
        modalities: list[Modality] = ["text" if isinstance(part, str) else part.modality for part in parts]
        foreign = next((modality for modality in modalities if modality not in able), None)
        if foreign or (len(parts) > 1 and endpoint.task != "embedding"):
            if foreign:
                what = f"{'holds' if len(parts) > 1 else 'is'} {_A[foreign]}"
                only = f"embeds {' and '.join(able)} only"
            else:
                what, only = f"is made of {len(parts)} parts", "makes a vector of one text only"
            raise InputError(
                f"Input {position} {what}, and {endpoint.inference_id} {only}. {_one_that_embeds(modalities, endpoint)}"
            )


def _modalities(endpoint: EndpointInfo) -> Sequence[Modality]:
    """What an endpoint embeds, as far as it is known; any medium, if it is not."""
    model = find_model(endpoint.model_id or "")
    known = model.modalities if isinstance(model, EmbeddingModel) else EVERYTHING
    return known if endpoint.task == "embedding" else TEXT


def _comparable(one: EndpointInfo, other: EndpointInfo, dimensions: int | None) -> bool | None:
    """None if that is not known."""
    if dimensions is None and one.dimensions and other.dimensions and one.dimensions != other.dimensions:
        return False
    if one.model_id and one.model_id == other.model_id:
        return True
    models = find_model(one.model_id or ""), find_model(other.model_id or "")
    if not all(isinstance(model, EmbeddingModel) for model in models):
        return None
    return share_space(models[0].name, models[1].name)  # type: ignore[union-attr]


def _space(endpoint: EndpointInfo) -> list[EmbeddingModel]:
    """The models that embed into the vector space of an endpoint."""
    model = find_model(endpoint.model_id or "")
    if not isinstance(model, EmbeddingModel):
        return []
    return [each for each in MODELS if isinstance(each, EmbeddingModel) and each.space == model.space]


def _vectors(endpoint: EndpointInfo) -> str:
    length = f", {endpoint.dimensions} dimensions" if endpoint.dimensions else ""
    return f"{endpoint.inference_id} ({endpoint.model_id or 'model unknown'}{length})"


def _one_that_embeds(modalities: Sequence[Modality], endpoint: EndpointInfo) -> str:
    able = [
        model
        for model in MODELS
        if isinstance(model, EmbeddingModel) and model.task == "embedding" and set(modalities) <= set(model.modalities)
    ]
    beside = [model for model in able if model in _space(endpoint)]
    if beside:
        choose = "choose it as inference_id, or for queries as search_inference_id"
        return f"{beside[0].endpoint} does, in the same vector space: {choose}."
    return f"{able[0].endpoint} does, in a vector space of its own: what is indexed must be embedded again with it."
