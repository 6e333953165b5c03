"""Checks of `<source>_entries`: the sync proof, the two clocks, and the success of the syncs."""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    ResourceParam,
    asset_check,
    multi_asset_check,
)

from assets.asset_keys import source_key, to_dagster_name
from assets.metadata import make_table
from assets.plots import plot_histogram
from ragline.alarms import ERROR_FACTOR
from ragline.durations import format_duration
from ragline.lifecycle.blocking_checks import record_blocking_checks
from ragline.lifecycle.invariants import INVARIANTS
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.sync_proof import SyncProof, prove_source
from ragline.sources.settings import SourceSettings
from ragline.status import Clock, SourceStatus, read_clock_seconds, read_status

PROOF = "sync_proof"
FULL_PROOF = "full_sync_proof"
VISIBLE = "changes_are_visible_in_time"
FORGOTTEN = "removals_are_forgotten_in_time"
SYNCED = "source_is_synced"
# The alarms of a source that are reported by no other check.
SYNC_ALARMS = ("sync_failed", "source_not_watched", "source_never_synced")
MAX_SHOWN_DIFFERENCES = 50


def build_proof_checks(settings: SourceSettings) -> AssetChecksDefinition:
    """Build the checks of each run's sync proof: one for each invariant, and one for the proof.

    The invariants are in `ragline.lifecycle.invariants`. If an invariant fails, nothing is
    published. A difference that the proof finds does not prevent the publication.
    """
    key = source_key(settings.name, "entries")
    specs = [
        AssetCheckSpec(f"no_{rule.name}", asset=key, description=rule.description, blocking=True)
        for rule in INVARIANTS
    ]
    proof_spec = AssetCheckSpec(
        PROOF,
        asset=key,
        description=(
            f"The source `{settings.name}`, its ledger and the index contain the same documents "
            "with equal hashes. The check names each difference, and the next sync repairs it."
        ),
    )

    @multi_asset_check(name=f"{to_dagster_name(settings.name)}_proof", specs=[*specs, proof_spec])
    def proof(run_context: ResourceParam[RunContext]) -> Iterator[AssetCheckResult]:
        # If the index is large, a run checks only one part. The run id selects the part.
        part = crc32(run_context.run_id.encode())
        found = prove_source(run_context, settings.name, part_number=part, in_full=False)
        blocking = {f"no_{one.invariant.name}": one.holds for one in found.invariant_results}
        record_blocking_checks(run_context.database, settings.name, "entries", blocking)
        for result in found.invariant_results:
            yield AssetCheckResult(
                check_name=f"no_{result.invariant.name}",
                passed=result.holds,
                severity=AssetCheckSeverity.ERROR,
                metadata={
                    "broken": len(result.violations),
                    "documents": make_table(["document"], [[name] for name in result.documents]),
                },
            )
        yield judge_proof(PROOF, found)

    return proof


def build_full_proof_check(settings: SourceSettings) -> AssetChecksDefinition:
    """Build the check of the sync proof over all entries.

    A schedule runs this check. A sync does not run it.
    """

    @asset_check(
        asset=source_key(settings.name, "entries"),
        name=FULL_PROOF,
        description=(
            f"The source `{settings.name}`, its ledger and the index contain the same documents "
            f"with equal hashes. Unlike {PROOF}, this check lists the source again and compares "
            "every entry."
        ),
    )
    def full_sync_proof(run_context: ResourceParam[RunContext]) -> AssetCheckResult:
        return judge_proof(FULL_PROOF, prove_source(run_context, settings.name))

    return full_sync_proof


def judge_proof(check_name: str, proof: SyncProof) -> AssetCheckResult:
    """Convert the result of a sync proof to the result of a check."""
    shown = [(found.document_id, found.what) for found in proof.faults[:MAX_SHOWN_DIFFERENCES]]
    # If the source is unreachable, another check reports it. The proof then compares only the
    # ledger and the index.
    unproven = (
        {} if proof.source_error is None else {"not_compared_with_source": proof.source_error}
    )
    return AssetCheckResult(
        check_name=check_name,
        passed=not proof.faults,
        severity=AssetCheckSeverity.ERROR,
        metadata={
            "documents": proof.documents,
            "documents_hashed": proof.hashed_documents,
            "entries": proof.entries,
            "source_was_listed": proof.is_listed,
            "largest_unseen_ratio_at_95_percent": round(proof.largest_unseen_ratio, 5),
            "differences": len(proof.faults),
            "changed_since_listing": len(proof.differences) - len(proof.faults),
            "differing_documents": make_table(["document", "difference"], shown),
            "seconds": round(proof.seconds, 3),
            **unproven,
        },
    )


def blocking_keys(source: str) -> list[AssetCheckKey]:
    """Return the keys of the blocking checks of a source's entries."""
    key = source_key(source, "entries")
    return [AssetCheckKey(key, f"no_{rule.name}") for rule in INVARIANTS]


def full_proof_key(source: str) -> AssetCheckKey:
    """Return the key of the full sync proof, which only a schedule runs."""
    return AssetCheckKey(source_key(source, "entries"), FULL_PROOF)


def build_clock_checks(settings: SourceSettings) -> AssetChecksDefinition:
    """Build the checks of a source's two clocks and of its syncs."""
    visible_within = format_duration(settings.visible_within.total_seconds())
    forgotten_within = format_duration(settings.forgotten_within.total_seconds())
    key = source_key(settings.name, "entries")
    specs = [
        AssetCheckSpec(
            VISIBLE,
            asset=key,
            description=(
                f"No change in `{settings.name}` has waited longer than "
                f"{visible_within} to become visible. The metadata shows how long recent "
                "changes took."
            ),
        ),
        AssetCheckSpec(
            FORGOTTEN,
            asset=key,
            description=(
                f"No removal in `{settings.name}` has waited longer than "
                f"{forgotten_within} to be forgotten. The metadata shows how long recent "
                "removals took."
            ),
        ),
        AssetCheckSpec(
            SYNCED,
            asset=key,
            description=(
                f"`{settings.name}` was synced at least once. Its syncs do not fail repeatedly, "
                "and its change sensor runs."
            ),
        ),
    ]

    @multi_asset_check(name=f"{to_dagster_name(settings.name)}_clocks", specs=specs)
    def clocks(run_context: ResourceParam[RunContext]) -> Iterator[AssetCheckResult]:
        sources = read_status(run_context.database).sources
        status = next(source for source in sources if source.source == settings.name)
        yield judge_syncs(status)
        for result in judge_clocks(status):
            clock = "visible" if result.check_name == VISIBLE else "forgotten"
            seconds = read_clock_seconds(run_context.database, settings.name, clock)
            plot = {"readings": plot_histogram(seconds, f"seconds until {clock}")}
            yield result._replace(metadata={**result.metadata, **plot})

    return clocks


def judge_clocks(status: SourceStatus) -> list[AssetCheckResult]:
    """Return the results of the checks of both clocks.

    If a wait is longer than the limit of its clock, the check fails with a warning. If a wait is
    longer than ERROR_FACTOR times the limit, the check fails with an error.
    """
    return [
        _judge_clock(status.source, VISIBLE, status.visible),
        _judge_clock(status.source, FORGOTTEN, status.forgotten),
    ]


def judge_syncs(status: SourceStatus) -> AssetCheckResult:
    """Return the result of the check of a source's syncs.

    The check fails if the source has an alarm of SYNC_ALARMS.
    """
    found = [alarm for alarm in status.alarm_details if alarm.name in SYNC_ALARMS]
    return AssetCheckResult(
        asset_key=source_key(status.source, "entries"),
        check_name=SYNCED,
        passed=not found,
        severity=(
            AssetCheckSeverity.ERROR
            if any(alarm.severity == "error" for alarm in found)
            else AssetCheckSeverity.WARN
        ),
        metadata={alarm.name: alarm.text for alarm in found},
    )


def judge_last_proof(status: SourceStatus) -> AssetCheckResult:
    """Return the result of the full-proof check from the last stored proof.

    Any run or command can have made this proof.
    """
    proof = status.proof
    differences = [] if proof is None else proof.differences[:MAX_SHOWN_DIFFERENCES]
    return AssetCheckResult(
        asset_key=source_key(status.source, "entries"),
        check_name=FULL_PROOF,
        passed=proof is None or not proof.difference_count,
        severity=AssetCheckSeverity.ERROR,
        metadata={"differing_documents": make_table(["document", "difference"], differences)},
    )


def _judge_clock(source: str, check_name: str, clock: Clock) -> AssetCheckResult:
    """Return the result of the check of one clock, with the clock's readings as metadata.

    The check passes if no change waits longer than the limit now. The status and the API use the
    same rule. The readings of earlier changes do not matter.
    """
    readings = clock.readings
    times = {
        "p50_seconds": readings.p50_seconds,
        "p95_seconds": readings.p95_seconds,
        "p99_seconds": readings.p99_seconds,
        "slowest_seconds": readings.max_seconds,
    }
    return AssetCheckResult(
        asset_key=source_key(source, "entries"),
        check_name=check_name,
        passed=clock.state != "late",
        severity=(
            AssetCheckSeverity.ERROR if clock.overrun > ERROR_FACTOR else AssetCheckSeverity.WARN
        ),
        metadata={
            "allowed_seconds": clock.within_seconds,
            "longest_wait_seconds": round(clock.waiting_seconds, 1),
            "times_over": round(clock.overrun, 3),
            "changes": readings.count,
            "late_changes": readings.late,
            "clock": clock.state,
            **{name: round(value, 3) for name, value in times.items() if value is not None},
        },
    )
