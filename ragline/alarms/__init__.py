"""Finds alarms: the conditions on which an operator must act.

An alarm names its collection, source and documents, the cause, the remedy, and the page of
docs/runbooks with the details. `ragline.status` reads the facts about a source or a collection from
the database. The functions here compute the alarms from these facts and store nothing. So an alarm
ends when its facts change.
"""

from ragline.alarms.alarm import KINDS, Alarm, create_alarm
from ragline.alarms.collection_alarms import QualityDrop, find_collection_alarms
from ragline.alarms.release_alarms import (
    ForcedPromotion,
    UnpassedCandidate,
    find_release_alarms,
)
from ragline.alarms.source_alarms import (
    ERROR_FACTOR,
    LateDocument,
    SourceFacts,
    find_source_alarms,
)

__all__ = [
    "ERROR_FACTOR",
    "KINDS",
    "Alarm",
    "ForcedPromotion",
    "LateDocument",
    "QualityDrop",
    "SourceFacts",
    "UnpassedCandidate",
    "create_alarm",
    "find_collection_alarms",
    "find_release_alarms",
    "find_source_alarms",
]
