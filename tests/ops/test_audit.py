import os


ME = f"os:{os.getuid()}"


def test_the_audit_log_stores_the_operator_and_shows_it_only_to_operators(ops, tenant_rows, admin, slug):
    ops("tenants", "extend-trial", slug, "--days", "14", "--yes")
    (row,) = tenant_rows.audit(slug, "trial.extended")
    shown = ops("audit", slug, "--json").json
    table = ops("audit", slug, "--operators").out.splitlines()
    tenant_view = admin.get("audit").raw + admin.get("privacy/export?format=json").raw

    assert row["operator_id"] == ME
    assert [(each["action"], each["operatorId"]) for each in shown[:1]] == [("trial.extended", ME)]
    assert shown[0]["before"] == row["before_change"]
    assert {each["operatorId"] for each in shown[1:]} == {None}
    assert len(table) == 3
    assert table[2].split()[2:] == ["trial.extended", "operator", "-", ME, "-"]
    assert b"trial.extended" in tenant_view
    assert ME.encode() not in tenant_view


def test_a_job_run_by_an_operator_is_audited_as_theirs(ops, tenant_rows, admin, slug):
    asked = ops("privacy", "erase", admin.tid, "--verified", "--yes")
    run = ops("privacy", "run")
    done = tenant_rows.audit(slug, "erasure.done")

    assert (asked.code, run.code) == (0, 0)
    assert [(row["actor_kind"], row["operator_id"]) for row in done] == [("service", ME)]


def test_the_audit_log_is_shown_completely_newest_first(slug, monkeypatch, ops):
    monkeypatch.setattr("ops.audit.commands._PAGE", 2)
    for days in ("1", "2", "3", "4"):
        ops("tenants", "extend-trial", slug, "--days", days, "--yes")
    shown = ops("audit", slug, "--json").json
    by_operators = ops("audit", slug, "--operators", "--json").json

    assert [each["action"] for each in by_operators] == ["trial.extended"] * 4
    assert len(shown) > 4
    assert [each["at"] for each in shown] == sorted((each["at"] for each in shown), reverse=True)
