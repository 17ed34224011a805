"""The one family of errors a user may see: a sentence with what happened, where, and the mend."""

from __future__ import annotations


class WorkbenchError(Exception):
    """Something a user can be told.

    Attributes:
        what: what happened, a sentence without a full stop.
        where: the thing it happened to (a repo, a file and row, an address); may be empty.
        mend: what to do about it, a sentence; may be empty.
    """

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        self.what = what.rstrip(".")
        self.where = where
        self.mend = mend
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """Everything in one line, fit for a toast, a status line or stderr."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}. {self.mend}" if self.mend else f"{head}."


class HubError(WorkbenchError):
    """The Hub (or Jobs) said no, said nothing, or could not be reached.

    `status` is the HTTP status, 0 when no answer came.
    """

    def __init__(self, what: str, *, where: str = "", mend: str = "", status: int = 0) -> None:
        self.status = status
        super().__init__(what, where=where, mend=mend)


class GatedError(HubError):
    """The repo is gated and this account has no access to it."""


class NotFoundError(HubError):
    """No such repo, revision, file, split or job – or it is private and not ours."""


class DataError(WorkbenchError):
    """A dataset, or one row of it, cannot be used as it is."""


class RecipeError(WorkbenchError):
    """A recipe file or value is wrong; `where` names the file and the key."""


class LedgerError(WorkbenchError):
    """The ledger cannot be read or written (a full disk, a read-only folder)."""
