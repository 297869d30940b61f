"""What travels packed comes out as it went in, also where an older hub packed it."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.ledger.packing import HANDLE, ROWS, handle_of, identifiers_in, pack, unpack

TEXT = st.none() | st.text(min_size=1)


@given(TEXT, TEXT, TEXT, TEXT)
def test_a_handle_gives_back_the_identifiers_that_made_it(
    email: str | None, phone: str | None, remote_id: str | None, customer_id: str | None
) -> None:
    known = dict(zip(HANDLE, (email, phone, remote_id, customer_id), strict=True))

    assert identifiers_in(handle_of(**known)) == {name: value for name, value in known.items() if value is not None}


@pytest.mark.parametrize("missing", HANDLE)
def test_a_batch_that_was_packed_before_there_was_an_identifier_lacks_it(missing: str) -> None:
    row = dict.fromkeys(ROWS.names, "x")
    rows = pa.Table.from_pylist([row], schema=ROWS)

    [found] = unpack(pack(rows.drop_columns([missing]))).to_pylist()

    assert found == row | {missing: None}
