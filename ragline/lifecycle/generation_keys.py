"""The key of a generation: the inputs that determine its entries.

Two generations of a collection with the same key would have the same entries. So a collection has
one generation for each key. `generations` stores the keys. `plan_settings` compares the key of a
generation with the key that the settings require.
"""

from __future__ import annotations

from dataclasses import dataclass

from ragline.configuration import CollectionSettings
from ragline.embedder.space import EmbeddingSpace
from ragline.text_analysis import VERSION


@dataclass(frozen=True, slots=True)
class GenerationKey:
    """The inputs of a generation.

    `analysis_version` is None for a generation that was built without a text analysis, by an older
    version of Ragline.
    """

    space_fingerprint: str
    chunker_fingerprint: str
    language: str
    analysis_version: str | None


def make_generation_key(
    settings: CollectionSettings, space: EmbeddingSpace, chunker_fingerprint: str
) -> GenerationKey:
    """Return the key of the generation that this version of Ragline builds for some settings.

    `space` and `chunker_fingerprint` come from the files of the embedding model. So the key changes
    if these files change and the name of the model stays the same.
    """
    return GenerationKey(
        space_fingerprint=space.fingerprint,
        chunker_fingerprint=chunker_fingerprint,
        language=settings.language,
        analysis_version=VERSION,
    )
