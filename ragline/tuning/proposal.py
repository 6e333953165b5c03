"""Writes the result of a tuning as a part of `ragline.yaml`, for a person who reviews it."""

from __future__ import annotations

from pathlib import Path

from ragline.tuning.choice import MIN_STEP
from ragline.tuning.report import Change, Gain, StageReport, TuningReport

SUBJECTS = {
    "search": "searches without reranking",
    "rerank": "reranked searches",
    "chunking": "the chunking",
}
# The section of a collection in `ragline.yaml` that contains the settings of each stage of tuning.
SECTIONS = {"search": "search", "rerank": "search", "chunking": "chunking"}
SHOWN_HASH_DIGITS = 12


def write_proposal(report: TuningReport, configuration_path: Path) -> str:
    """Return the proposed settings as YAML, with the figures and the old values as comments.

    The text can be copied to the configuration file. Without a proposed change, it consists only of
    comments.
    """
    lines = [f"# {line}" for line in describe_tuning(report)]
    if not report.proposed:
        return "\n".join([*lines, "# Keep your settings.", ""])
    lines += [
        f"# To use these settings, copy them to the collection in {configuration_path}.",
        "collections:",
        f"  - name: {report.collection}",
    ]
    for section in ("search", "chunking"):
        stages = [one for one in report.stages if SECTIONS[one.stage] == section]
        changes = [change for one in stages if one.decision == "propose" for change in one.changes]
        lines += [f"    {section}:"] if changes else []
        lines += [f"      {one.setting}: {one.chosen}  # now {one.present}" for one in changes]
    return "\n".join([*lines, ""])


def describe_tuning(report: TuningReport) -> list[str]:
    """Describe what was measured and decided, in sentences. Each item is one line."""
    origin = (
        f"`ragline tune {report.collection}` measured these settings on "
        f"{report.started_at:%Y-%m-%d} with Ragline {report.ragline_version}: generation "
        f"{report.generation}, golden set {report.golden_hash[:SHOWN_HASH_DIGITS]}, seed "
        f"{report.seed}."
    )
    lines = [origin]
    for stage in report.stages:
        lines += describe_stage(stage)
    return lines


def describe_stage(stage: StageReport) -> list[str]:
    """Describe the decision about the settings of one stage and its figures."""
    subject = SUBJECTS[stage.stage]
    if stage.validated is None or stage.untouched is None:
        least = f"{MIN_STEP:g} or more"
        return [f"Settings of {subject}: keep. No values that were tried are better by {least}."]
    found = ", ".join(_describe_change(change) for change in stage.changes)
    verdict = (
        "proposed"
        if stage.decision == "propose"
        else "keep. The cross-validation shows no gain that is certain"
    )
    lines = [
        f"Settings of {subject}: {verdict}. Best values found: {found}.",
        f"  Cross-validation on the split tune: {describe_gain(stage.validated)}.",
        f"  Untouched queries, gate and holdout: {describe_gain(stage.untouched)}.",
    ]
    return lines + [f"    {name}: {describe_gain(gain)}." for name, gain in stage.by_split.items()]


def describe_gain(gain: Gain) -> str:
    """Describe a gain in one clause, with its interval."""
    return (
        f"nDCG@10 {gain.present:.4f} now, {gain.chosen:.4f} with these values, "
        f"{gain.difference:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}) over {gain.queries:,} "
        f"queries, of which {gain.rose:,} rose and {gain.fell:,} fell"
    )


def _describe_change(change: Change) -> str:
    return f"{change.setting} {change.chosen} (now {change.present})"
