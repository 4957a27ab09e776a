"""Readings summed up by time: how much may be asked for, and how it is shown."""

from collector.queries import PathBuckets as FoundBuckets
from collector.queries import word_of
from console.api import problem
from console.api.device_models import MOST_BUCKETS, Bucket, BucketsQuery, PathBuckets
from console.api.problem import FieldProblem, RequestRefused
from contracts.signals import Sort


def refuse_too_many(query: BucketsQuery, to_ms: int) -> None:
    """Refuse an end before its begin, and more buckets than one answer may have.

    Raises:
        RequestRefused: with the field that is to be changed.
    """
    if to_ms <= query.from_ms:
        raise _refused("query.to", f"a time after from = {query.from_ms}", str(to_ms))
    bucket_ms = query.bucket_s * 1000
    each = -(-to_ms // bucket_ms) - query.from_ms // bucket_ms
    count = each * len(set(query.path))
    if count > MOST_BUCKETS:
        least_s = -(-(to_ms - query.from_ms) * len(set(query.path)) // (MOST_BUCKETS * 1000))
        expected = f"at most {MOST_BUCKETS} buckets over all paths, so about {least_s} s or more, or a shorter time"
        raise _refused("query.bucket_s", expected, f"{query.bucket_s}, which makes {count}")


def _refused(where: str, expected: str, got: str) -> RequestRefused:
    return RequestRefused(
        problem.INVALID,
        f"{where}: expected {expected}, got {got}",
        [FieldProblem(where=where, expected=expected, got=got)],
    )


def path_buckets(found: FoundBuckets) -> PathBuckets:
    """Show a signal; what means nothing for its sort is left out."""
    signal, buckets = found.signal, found.buckets
    is_state, is_counter = signal.sort is Sort.STATE, signal.sort is Sort.COUNTER
    columns = (
        buckets.begins_at_ms, buckets.count, buckets.minimum, buckets.maximum, buckets.mean, buckets.last, buckets.increase,
    )  # fmt: skip
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return PathBuckets(
        path=found.path,
        name_en=signal.en,
        name_zh=signal.zh,
        sort=signal.sort,
        unit=signal.unit,
        items=tuple(
            Bucket(
                begins_at_ms=begins_at_ms,
                count=count,
                minimum=None if is_state else minimum,
                maximum=None if is_state else maximum,
                mean=None if is_state else mean,
                last=last,
                last_word=word_of(signal, last),
                increase=increase if is_counter else None,
            )
            for begins_at_ms, count, minimum, maximum, mean, last, increase in rows
        ),
    )
