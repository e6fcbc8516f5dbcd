"""Work has what a transaction has in common, and nothing else."""

import dataclasses

from shared.work import Work


def test_work_has_five_fields_and_no_methods():
    own = [name for name in vars(Work) if not name.startswith("_")]

    assert [field.name for field in dataclasses.fields(Work)] == ["tx", "tenant", "actor", "now", "new_id"]
    assert sorted(own) == ["actor", "new_id", "now", "tenant", "tx"]
