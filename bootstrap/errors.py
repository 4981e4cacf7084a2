"""The one error of the set-up: what failed, its last words, and what to do."""

from __future__ import annotations


class SetUpError(Exception):
    """The set-up cannot go on. `lines` is the end of what a failing command printed; `advice` says what to do."""

    def __init__(self, problem: str, advice: str, lines: tuple[str, ...] = ()) -> None:
        super().__init__(problem)
        self.advice = advice
        self.lines = lines

    def __str__(self) -> str:
        told = "".join(f"    {line}\n" for line in self.lines)
        return f"{self.args[0]}{':' if told else ''}\n{told}{self.advice}"
