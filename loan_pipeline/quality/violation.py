"""One rule of the contract that rows of one table break."""

from dataclasses import dataclass, field

# How many rows or values a violation shows.
EXAMPLES = 5


@dataclass(frozen=True)
class Violation:
    """A rule of the contract that rows of one table break.

    Attributes:
        rule: what the rows are or do ("is not a known code").
        count: how many rows break it.
        examples: some of them, in words.
        blocking: whether features made from the table would be wrong.
        keys: primary keys of the examples, where rows have them.
    """

    table: str
    column: str
    rule: str
    count: int
    examples: tuple[str, ...] = ()
    blocking: bool = True
    keys: tuple[int, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        """One line for people."""
        rows = f": {self.count:,} row{'' if self.count == 1 else 's'}" if self.count else ""
        shown = f" ({', '.join(self.examples)})" if self.examples else ""
        return f"{self.table}.{self.column} {self.rule}{rows}{shown}"
