"""The configuration file `ragline.yaml`: its settings, how it is read, and how it is checked.

- `settings` defines the settings. Those of a collection are in `collection_settings`
  and `rollout_settings`.
- `loading` reads a file, and `validation` checks its content.
- `checks` finds settings that cannot be satisfied on this machine.
- `last_valid` stores the last valid content of a file.
- `first_configuration` proposes a first file for a folder.

The settings of each kind of source are in `ragline.sources`.
"""

from ragline.configuration.collection_settings import (
    ChunkingSettings,
    CollectionSettings,
    QueryText,
    SearchSettings,
    VectorIndexSettings,
)
from ragline.configuration.loading import load_configuration
from ragline.configuration.settings import Configuration, RetentionSettings

__all__ = [
    "ChunkingSettings",
    "CollectionSettings",
    "Configuration",
    "QueryText",
    "RetentionSettings",
    "SearchSettings",
    "VectorIndexSettings",
    "load_configuration",
]
