"""The configuration file `ragline.yaml`: its settings, how it is read, and how it is checked.

`settings` defines what a file may contain, `loading` reads one, `checks` finds settings that cannot
be satisfied on this machine, `last_valid` stores the last content without a fault, and
`first_configuration` writes a first file. The settings of each kind of source are in
`ragline.sources`.
"""

from ragline.configuration.loading import load_configuration
from ragline.configuration.settings import (
    ChunkingSettings,
    CollectionSettings,
    Configuration,
    QueryText,
    RetentionSettings,
    SearchSettings,
)

__all__ = [
    "ChunkingSettings",
    "CollectionSettings",
    "Configuration",
    "QueryText",
    "RetentionSettings",
    "SearchSettings",
    "load_configuration",
]
