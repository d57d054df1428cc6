"""Searches of version 0.1, which recorded outcomes and no proposals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyg_nas.errors import SettingsError
from pyg_nas.search.domain import named
from pyg_nas.search.history import History, Proposal, Query
from pyg_nas.search.search_folder.records import Records


def adopt_records(
    records: Records,
    batch_size: Callable[[int], int],
    propose: Callable[[History, int, int], list[Proposal]],
    add: Callable[[list[Proposal]], None],
) -> None:
    """Make candidates of recorded outcomes, so that a search of version 0.1 is resumed.

    Args:
        records: Their ``unlisted`` outcomes have no candidate; without any, nothing is done.
        batch_size: Returns the size of the batch that the strategy begins after a number of cells.
        propose: Called with the history, the size and the start of a batch, returns its proposals.
        add: Adds the proposals of one batch to ``records``.

    Raises:
        SettingsError: If the strategy proposes other cells than those that were recorded.
    """
    recorded = records.unlisted
    while (start := len(records.candidates)) < len(recorded):
        size = batch_size(start)
        proposals = [query.proposal for query in _recorded_batch(recorded, start, size)]
        if len(proposals) < size and start + len(proposals) == len(recorded):
            # The search was stopped within this batch.
            whole = propose(records.history.first(start), size, start)
            _check_begins(whole, proposals, start)
            proposals = whole
        add(proposals)


def _recorded_batch(recorded: Sequence[Query], start: int, size: int) -> Sequence[Query]:
    """Return the recorded queries of the batch of up to ``size`` cells that begins at ``start``."""
    part = recorded[start : start + size]
    ends = next((i for i, q in enumerate(part) if q.batch not in (None, start)), len(part))
    if not ends:
        raise SettingsError(
            f"query {start} of the folder was proposed together with query {part[0].batch}, but "
            f"with these settings a new batch begins there: the search cannot be resumed"
        )
    return part[:ends]


def _check_begins(proposals: Sequence[Proposal], recorded: Sequence[Proposal], start: int) -> None:
    """Check that a batch begins with the cells that were recorded."""
    for offset, proposal in enumerate(recorded):
        found = named(proposals[offset].cell) if offset < len(proposals) else "none"
        if named(proposal.cell) != found:
            raise SettingsError(
                f"query {start + offset} of the folder is {named(proposal.cell)}, but with these "
                f"settings it would be {found}: the search cannot be resumed"
            )
