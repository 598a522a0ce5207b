"""Ranking of those who wait for one kind of device: the first is had without looking at all."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container

from jobs.scheduling.policy import Candidate, Policy

User = int | str
Key = tuple[float | int | str, ...]


class Ranking:
    """Candidates by a policy. `candidate` says what a user has to offer now, if anything.

    Of who has no run at work it changes only when something happens to them: `touch` says so.
    What was true before stays in the heap until it comes up.
    """

    def __init__(self, policy: Policy, candidate: Callable[[User], Candidate | None]) -> None:
        self.policy, self.candidate = policy, candidate
        self.heap: list[tuple[Key, int, Candidate]] = []
        self.touched: dict[User, None] = {}
        self.current: dict[User, int] = {}
        """The number of each user's entry that is true."""
        self.entries = 0

    def touch(self, user: User) -> None:
        self.touched[user] = None
        self.current.pop(user, None)

    def first(self, at_work: Container[User]) -> Candidate | None:
        """The first of those who are not `at_work`, whose virtual time stands still."""
        later = {user: None for user in self.touched if user in at_work}
        for user in self.touched:
            if user not in at_work and (found := self.candidate(user)):
                self.entries += 1
                self.current[user] = self.entries
                heapq.heappush(self.heap, (self.policy(found), self.entries, found))
        self.touched = later
        while self.heap and self.current.get(self.heap[0][2].user) != self.heap[0][1]:
            heapq.heappop(self.heap)
        return self.heap[0][2] if self.heap else None
