"""One answer after the other: for models, and adapters, that can't be batched."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.model.batching.contract import Answer
from maxaillm.model.loaded import Parts


class SerialAnswer(Answer):
    """`speak` begins the answer when its turn has come; it is told how to ask whether to stop."""

    def __init__(self, speak: Callable[[Callable[[], bool]], Parts]) -> None:
        super().__init__()
        self.speak = speak
        self.spoken: Parts | None = None
        self.is_left = False

    def go_on(self) -> None:
        """The next part, or the end."""
        try:
            if self.spoken is None:
                self.spoken = self.speak(lambda: self.is_left)
            self.parts.append(next(self.spoken))
        except StopIteration as end:
            usage = end.value
            self.prompt_tokens, self.completion_tokens = usage[:2]
            self.finish, self.judgement = usage.finish_reason, usage.judgement
        except FineTuneError as error:
            self.fail(error)


class SerialEngine:
    """Answers in the order in which they were asked for."""

    def __init__(self) -> None:
        self.queue: deque[SerialAnswer] = deque()

    @property
    def answers(self) -> Sequence[SerialAnswer]:
        return list(self.queue)

    def join(self, answer: SerialAnswer) -> None:
        self.queue.append(answer)

    def leave(self, answer: SerialAnswer) -> None:
        """What it was about to say is still taken, and how much it took."""
        answer.is_left = True
        while answer.spoken is not None and answer.finish is None:
            answer.go_on()
        answer.finish = answer.finish or "cancelled"
        self.queue.remove(answer)

    def fail(self, error: FineTuneError) -> None:
        for answer in self.queue:
            answer.fail(error)
        self.queue.clear()

    def step(self) -> None:
        if self.queue:
            self.queue[0].go_on()
            if self.queue[0].finish is not None:
                self.queue.popleft()
