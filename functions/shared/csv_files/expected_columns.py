"""Checks the columns that the settings name against the header of a file."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .content import FileRefused


@dataclass(frozen=True)
class ExpectedColumns:
    """Names of columns in the settings. A file may lack a column that has a default.

    ``made`` are attributes that the import writes into every item.
    """

    hash_key: str = "id"
    keys: Sequence[str] = ()
    typed: Collection[str] = ()
    defaults: Collection[str] = ()
    made: Collection[str] = ()

    def check(self, header: Sequence[str]) -> None:
        """Raises FileRefused if every row would be rejected, or a setting would have no effect.

        A default is for a column that files lack; only a default whose name nearly equals that of
        a column counts as a mistake.
        """
        # Imported on use, since the module takes memory.
        from difflib import get_close_matches

        for name in self.keys:
            if name not in header:
                raise FileRefused(
                    "key_column_missing",
                    f"the header has no column {name}, which is in key_columns: correct the"
                    " setting, or the header",
                )
        if self.hash_key in header and tuple(self.keys) not in ((), (self.hash_key,)):
            raise FileRefused(
                "key_column_replaced",
                f"the column {self.hash_key} has the name of the table's key, which is made of"
                " key_columns: rename it",
            )
        for name in self.made:
            if name in header:
                raise FileRefused(
                    "column_replaced",
                    f"the column {name} has the name of the attribute that expires_after_days"
                    " adds: rename it",
                )
        for name in self.typed:
            if name not in header and name not in self.defaults:
                raise FileRefused(
                    "column_missing",
                    f"the header has no column {name}, which is in columns: correct the"
                    " setting or the header, or add it to defaults",
                )
        free = [name for name in header if name not in self.typed and name not in self.keys]
        for name in set(self.defaults).difference(header):
            if near := get_close_matches(name.lower(), [one.lower() for one in free], 1, 0.75):
                number = [one.lower() for one in header].index(near[0]) + 1
                raise FileRefused(
                    "default_misspelt",
                    f"{name} in defaults is not a column, but nearly the name of column"
                    f" {number}: correct the setting, or the header",
                )
