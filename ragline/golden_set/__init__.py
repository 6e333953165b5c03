"""Golden sets: queries with their judgements, as files in the layout of the BEIR benchmark.

- `content` defines queries and judgements, and the hash of a golden set.
- `reading` reads the files of a folder, `line_files` reads one file, and `writing` writes them.
- `splits` divides the queries into `tune`, `gate` and `holdout`.
- `card` reads the card: who judged, when, and where the queries come from.
- `import_files` reads other formats, and `merging` adds their content to a golden set.
- `proposal_answers` adds the queries that a person accepted, and stores rejections.

This package opens no database. `ragline.evaluation` measures a collection on a golden set.
"""

from ragline.golden_set.content import GoldenSet, Judgements
from ragline.golden_set.reading import read_golden_set

__all__ = ["GoldenSet", "Judgements", "read_golden_set"]
