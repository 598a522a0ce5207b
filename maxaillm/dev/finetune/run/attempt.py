"""One attempt at a run: its folder's lock, its heartbeat, its journal and the request to stop."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from pydantic import JsonValue

from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.processes.record_lock import hold_record_lock
from maxaillm.dev.finetune.run.events.journal import Event, Journal
from maxaillm.dev.finetune.run.events.kinds import FailedEvent, StoppedEvent, WarningEvent
from maxaillm.dev.finetune.run.events.payload import EventPayload, payload_class
from maxaillm.dev.finetune.run.folder import RunFolder, StopAction

HEARTBEAT_SECONDS = 2.0
Listener = Callable[[Event], None]


class Observer(Protocol):
    """A listener that writes the events somewhere else, too, and is closed in the end."""

    def __call__(self, event: Event, /) -> None: ...
    def close(self) -> None: ...


class FolderInUseError(FineTuneError):
    """Another process works in this folder."""

    code = "in_use"
    exit_code = 9


class StopRequestedError(FineTuneError):
    """A request to stop that came before the first step; an ending, not a failure."""

    code = "stopped"

    def __init__(self, action: StopAction) -> None:
        super().__init__(f"The run was asked to stop: {action}.")
        self.action = action


class Attempt:
    """Holds the folder while it is open and writes down what happens.

    Other processes see that it lives by the lock and by `heartbeat`, a counter that grows every two
    seconds: no clock is compared across processes.
    """

    def __init__(self, root: Path, listener: Listener | None = None) -> None:
        self.folder = RunFolder(root)
        self.listener = listener
        self.observers: tuple[Observer, ...] = ()
        self.release_wanted = False
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.folder.root.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(hold_lock(self.folder.lock))
            self.journal = stack.enter_context(Journal(self.folder.journal))
            stack.callback(start_heartbeat(self.folder.heartbeat))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write down how the run ended where it ended by an exception, which goes on."""
        if isinstance(error, StopRequestedError):
            self.emit(StoppedEvent(action=error.action, saved=False))
        elif isinstance(error, FineTuneError):
            self.emit("failed", **error.as_json())
        elif isinstance(error, Exception):
            message = f"{type(error).__name__}: {error}"
            hint = "The log has the details."
            self.emit(FailedEvent(code="error", message=message, hint=hint))
        self.observe()
        self._stack.close()

    def emit(
        self, event: EventPayload | str, step: int | None = None, /, **data: JsonValue
    ) -> None:
        """Append an event, typed or as kind and data: `emit(LogEvent(loss=1.5), 3)`,
        `emit("log", 3, loss=1.5)`. Kinds that are not known are written as they are.

        A NaN or infinity becomes null and is named in `not_finite`. Raises EventError where the
        data is not what its kind declares.
        """
        if isinstance(event, str):
            kind, payload = event, payload_class(event).of(data)
        else:
            kind, payload = event.kind, event
        written = self.journal.append(kind, step, payload.as_json())
        for listen in (self.listener, *self.observers):
            if listen is not None:
                listen(written)

    def observe(self, *observers: Observer) -> None:
        """Tell these, too, until others take their place or the attempt ends."""
        for observer in self.observers:
            observer.close()
        self.observers = observers

    def warn(self, message: str, hint: str = "") -> None:
        """Tell the user something; where nobody listens, Python's own warnings do it."""
        self.emit(WarningEvent(message=message, hint=hint))
        if self.listener is None:
            warnings.warn(" ".join(filter(None, (message, hint))), stacklevel=2)

    def stop_action(self) -> StopAction | None:
        """What the run is asked to do, by a file or by SIGTERM (then `release` is wanted)."""
        return self.folder.stop_action() or ("release" if self.release_wanted else None)

    def check_stop(self) -> None:
        """Leave with StopRequestedError where a stop is wanted; for the time before training."""
        action = self.stop_action()
        if action:
            raise StopRequestedError(action)


def hold_lock(path: Path) -> IO[bytes]:
    """Lock `path`, until what this gives is closed or the process ends."""
    try:
        return hold_record_lock(path)
    except OSError:
        message = f"Another process already works in {path.parent}."
        raise FolderInUseError(message, "Wait for it to end, or choose another folder.") from None


def start_heartbeat(path: Path) -> Callable[[], None]:
    """Count up in `path` from a thread. Returns what stops it."""
    done = threading.Event()

    def heartbeat() -> None:
        count = 0
        with path.open("r+b" if path.exists() else "w+b", buffering=0) as file:
            while True:
                count += 1
                os.pwrite(file.fileno(), b"%020d\n" % count, 0)
                if done.wait(HEARTBEAT_SECONDS):
                    return

    thread = threading.Thread(target=heartbeat, name="heartbeat", daemon=True)
    thread.start()

    def stop() -> None:
        done.set()
        thread.join()

    return stop
