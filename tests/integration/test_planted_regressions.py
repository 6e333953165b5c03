"""Planted regressions: the gate refuses each for the right reason. Harmless changes pass.

Each candidate is built by Ragline from a real fault: files of a model, a chunker, the configuration
or rows of the database. The collection is synced once, and each test gets a copy of its database.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from database_copies import DatabaseServer, SharedDatabase
from handbook_candidates import HANDBOOK, Handbook, copy_model
from planted_candidates import SOURCES, outcomes, reason, share_collection
from sqlalchemy import text
