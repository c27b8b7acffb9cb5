"""The outcome of every document that an ingest has read.

The requests of an ingest update the report when they are sent and when their response is read, not at the end of a round. It
is therefore right at whatever moment the ingest ends: by an error, a cancelled task or Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..errors import DocumentsFailedError, JinaEISError
from ..wire import Outcome, Write

__all__ = ["IngestReport"]

LISTED_FAILURES = 5  # failed documents that the text of an error lists
_UNANSWERED = "it was sent, and no response reported whether it was written"


@dataclass(slots=True)
class IngestReport:
    """Outcomes by document id. Of documents with one id, the last one counts.

    Attributes:
        ids: The ids of all documents read, in order.
        failed: The reason of each failure.
        indexed: The ids of acknowledged writes.
        visible: The ids of those that searches are known to see.
        created: The name of the index, if this ingest created it; "" otherwise.
    """

    ids: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    indexed: set[str] = field(default_factory=set)
    visible: set[str] = field(default_factory=set)
    created: str = ""
    _read: set[str] = field(default_factory=set)
    _sent: dict[str, str] = field(default_factory=dict)  # why such a document has no outcome, by id

    def read(self, document_id: str) -> bool:
        """Record a document that was read; the outcome of an earlier one with its id counts no longer. Returns True."""
        if document_id in self._read:
            self.failed.pop(document_id, None)
            self._sent.pop(document_id, None)
            self.indexed.discard(document_id)
            self.visible.discard(document_id)
        self._read.add(document_id)
        self.ids.append(document_id)
        return True

    def position(self, document_id: str) -> int:
        """Return the position at which a document was last read. It is looked for from the end: it is in the newest block."""
        return next(position for position in reversed(range(len(self.ids))) if self.ids[position] == document_id)

    @property
    def has_outcomes(self) -> bool:
        """Whether a document was written or has failed, or may have been written: it was sent, and no response came."""
        return bool(self.indexed or self.failed or _UNANSWERED in self._sent.values())

    def fail(self, document_id: str, reason: str) -> None:
        """Record the failure of a document."""
        self.indexed.discard(document_id)
        self.failed[document_id] = reason

    def sent(self, writes: Iterable[Write]) -> None:
        """Record writes that are about to be sent."""
        self._sent.update((write.id, _UNANSWERED) for write in writes)

    def refused(self, writes: Iterable[Write], error: JinaEISError) -> None:
        """Record the writes of a request that was refused as a whole."""
        self._sent.update((write.id, error.message) for write in writes)

    def answered(self, outcomes: Sequence[Outcome], *, visible: bool = False) -> Sequence[Outcome]:
        """Record the outcomes of a request, and return them. A write that was rejected for lack of capacity has none yet.

        Args:
            outcomes: The outcomes.
            visible: Whether the response came when searches saw the writes.
        """
        for outcome in outcomes:
            if outcome.reason is None:
                self.indexed.add(outcome.write.id)
                if visible:
                    self.visible.add(outcome.write.id)
            elif not outcome.rejected:
                self.failed[outcome.write.id] = outcome.reason
        return outcomes

    def error(self, cause: BaseException | None = None) -> DocumentsFailedError:
        """Return the error that names all documents, and the cause that ended the ingest, if any."""
        ids = list(dict.fromkeys(self.ids))
        indexed = [id_ for id_ in ids if id_ in self.indexed and id_ not in self.failed]
        without_outcome = [id_ for id_ in ids if id_ not in self.indexed and id_ not in self.failed]
        failed = {**self.failed, **{id_: self._sent[id_] for id_ in without_outcome if id_ in self._sent}}
        untried = [id_ for id_ in without_outcome if id_ not in self._sent]
        failed = {id_: failed[id_] for id_ in ids if id_ in failed}
        sentences = [f"{len(failed)} of {len(ids)} documents failed: {_list_failures(failed)}."] if failed else []
        if cause is not None:
            sentences.append(f"{len(indexed)} documents were indexed and {len(untried)} never sent before this error: {cause}")
        elif indexed:
            sentences.append("The others were written.")
        if self.created and not indexed:  # it is not deleted: another process may be about to write into it
            sentences.append(f"The index {self.created!r} was created for them: delete_index() deletes it.")
        return DocumentsFailedError(" ".join(sentences), failed, indexed, untried)


def _list_failures(failed: dict[str, str]) -> str:
    failures = [f"{document!r}: {reason.removesuffix('.')}" for document, reason in list(failed.items())[:LISTED_FAILURES]]
    if len(failed) > LISTED_FAILURES:
        failures.append(f"and {len(failed) - LISTED_FAILURES} more")
    return "; ".join(failures)
