"""The settings of a model folder, read without its weights and without torch."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.errors import ModelError, PygNasError
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors.storage.folder import read_settings
from pyg_nas.predictors.validation import check_operations
from pyg_nas.spaces.modules.space import NETWORKS

_OF_NETWORKS = ("NetworkRegressor", "NetworkGNNRegressor", "LatencyRegressor")


class WithProtocol:
    """Base class of objects that may have the protocol of a model's training."""

    protocol: Protocol | None
    source: str

    def require_protocol(self) -> Protocol:
        """Return the protocol.

        Raises:
            ModelError: If there is none.
        """
        if self.protocol is None:
            raise ModelError(
                f"{self.source}: was saved without a protocol, so its training cells are not "
                f"known; TrainedPredictor.save stores one"
            )
        return self.protocol


@dataclass(frozen=True)
class ModelHeader(WithProtocol):
    """The settings of a model folder.

    Args:
        source: Name of the model in errors: its folder.
        settings: The content of ``settings.json``.
        recipe: Name of the recipe that made it; the name of its class if that is not stored.
        protocol: Labels and training cells; None of an estimator that was saved without.
        training_hashes: ``S32 [n]`` module hashes of the training cells, or ``S64 [n]`` of whole
            networks.
        seed: Seed of the fit.
        space: Space of the training cells; None if the settings do not have it.
        network: Size of the networks whose labels it learned; None if it is not known.
        unit: Unit of the predictions; empty if it is not known, and for fractions.
    """

    source: str
    settings: dict[str, Any] = field(repr=False)
    recipe: str
    protocol: Protocol | None
    training_hashes: NDArray[np.bytes_] = field(repr=False)
    seed: int
    space: SearchSpace | None
    network: NetworkSize | None = None
    unit: str = ""

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> ModelHeader:
        """Read the settings of a model folder.

        Raises:
            ModelError: If they are missing or damaged.
        """
        settings = read_settings(folder)
        about = settings["about"]
        space = _stored_space(settings["model"])
        if "protocol" not in about:
            name = _class_of(settings["model"])
            return cls(str(folder), settings, name, None, np.empty(0, "S32"), 0, space)
        try:
            protocol = Protocol.from_dict(about["protocol"])
            digests = [bytes.fromhex(digest).hex() for digest in about["training_cells"]]
            recipe, seed = str(about["recipe"]), int(about["seed"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ModelError(
                f"{folder}: has no valid description of its training ({error!r})"
            ) from None
        if not digests or not all(len(digest) in (32, 64) for digest in digests):
            raise ModelError(
                f"{folder}: training_cells must list module hashes of 32 hex digits, or hashes of "
                f"networks of 64"
            )
        hashes = np.array([digest.encode() for digest in digests])
        network = NetworkSize.from_dict(about.get("network"))
        unit = str(about.get("unit", ""))
        return cls(str(folder), settings, recipe, protocol, hashes, seed, space, network, unit)

    @property
    def of_networks(self) -> bool:
        """Whether it was fitted to whole networks, not to cells."""
        return self.space == NETWORKS

    @property
    def graph_space(self) -> SearchSpace | None:
        """The space of a graph file that the model predicts; None if its cells show it."""
        return None if self.of_networks else self.space

    def check_space(self, space: SearchSpace) -> None:
        """Check that the model can predict cells of a space.

        Raises:
            ModelError: If it was fitted to other operations, or one of the two is whole networks.
        """
        if self.space is None:
            return
        if self.of_networks != (space == NETWORKS):
            fitted, given = ("whole networks", "cells")[:: 1 if self.of_networks else -1]
            raise ModelError(f"{self.source}: the model was fitted to {fitted}, got {given}")
        check_operations(space, self.space)


def _class_of(description: Any) -> str:
    return str(description.get("class")) if isinstance(description, dict) else ""


def _stored_space(description: Any) -> SearchSpace | None:
    """Return the space in the values of an estimator, or of the first part that has one."""
    if not isinstance(description, dict):
        return None
    if _class_of(description) in _OF_NETWORKS:
        return NETWORKS
    values, parts = description.get("values"), description.get("parts")
    if isinstance(values, dict) and "space" in values:
        try:
            return SearchSpace.from_dict(values["space"])
        except PygNasError:  # refused when the estimator is read
            return None
    found = map(_stored_space, parts.values() if isinstance(parts, dict) else ())
    return next((space for space in found if space is not None), None)
