"""`scripts/run --data DIR` means the directory as its caller sees it."""

import shutil
import subprocess
import sys

from tests.devcloud import processes


def test_a_relative_data_directory_is_the_callers(tmp_path):
    project, caller = tmp_path / "project", tmp_path / "caller"
    for directory in (project / "scripts", project / ".venv" / "bin", caller):
        directory.mkdir(parents=True)
    shutil.copy(processes.ROOT / "scripts" / "run", project / "scripts")
    shutil.copytree(processes.ROOT / "scripts" / "lib", project / "scripts" / "lib")
    for path, text in (
        (project / "scripts" / "venv", "exit 0"),
        (project / ".venv" / "bin" / "python", f'exec "{sys.executable}" "$@"'),
    ):
        path.write_text(f"#!/usr/bin/env bash\n{text}\n")
        path.chmod(0o755)

    done = subprocess.run(
        [project / "scripts" / "run", "--port", str(processes.free_ports()), "--data", "mine"],
        cwd=caller,
        env=processes.environment(PYTHONPATH=str(processes.ROOT), DATABASE_URL=f"sqlite:///{__file__}/none.db"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "the database was not migrated: " in done.stdout + done.stderr  # far enough to have made the directory
    assert [path.name for path in caller.iterdir()] == ["mine"]
    assert not (project / "mine").exists()
