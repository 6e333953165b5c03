"""The confidence of a hit: how likely the hit is relevant, from 0 to 1.

- `calibration` is the model that turns the evidence of a hit into its confidence.
- `fitting` fits a calibration to judged hits, and measures it on other queries.
- `reliability` measures how well confidences agree with judgements.
- `stored_calibrations` stores the calibrations of each generation, and reads them.

`ragline.search.hit_confidence` applies a calibration to the hits of a search.
`ragline.evaluation.calibration_run` fits calibrations to the hits of a golden set.
"""
