"""Lags on the board of commits."""

from pathlib import Path

import numpy as np

from bench.commit_board import LONGEST_LAG_MS, CommitBoard, quantile


def test_a_lag_beyond_the_longest_has_no_figure_and_none_is_cut_to_it(tmp_path: Path) -> None:
    board = CommitBoard.make(tmp_path / "board")
    board.note(1, 4, np.array([5, 30_000, LONGEST_LAG_MS, 10 * LONGEST_LAG_MS]))
    lags = CommitBoard.open(tmp_path / "board").lags()
    assert [quantile(lags, share) for share in (0.25, 0.5, 0.75, 1.0)] == [5, 30_000, LONGEST_LAG_MS, None]
    assert quantile(np.zeros(10, np.int64), 0.5) is None
