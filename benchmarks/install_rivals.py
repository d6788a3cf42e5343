# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Install the rivals into an environment of their own: ``python benchmarks/install_rivals.py .venv-rivals``.

One that cannot be installed is left out with the reason, in rivals.json beside it; the benchmarks then skip it.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

_PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def main() -> None:
    """Install each rival by itself."""
    environment = Path(sys.argv[1])
    extras = tomllib.loads(_PYPROJECT.read_text())["project"]["optional-dependencies"]
    outcome = {
        "torch": install(environment, extras["bench-torch"]),
        "tensorflow": install(environment, extras["bench-tensorflow"]),
        "pyarrow": install(environment, extras["bench-pyarrow"]),
        "s3dlio": install(environment, extras["bench-s3dlio"]),
        "obstore": install(environment, extras["bench-obstore"]),
        "s3torchconnector": install(environment, extras["bench-s3torchconnector"]),
        # Its own list of requirements holds packages for GPUs and other loaders that have no place in this
        # comparison; the extra names those that reading and writing NPZ takes.
        "dlio": install(environment, extras["bench-dlio"])
        or install(environment, ["--no-deps", "dlio-benchmark==2.0.0"]),
    }
    (environment / "rivals.json").write_text(json.dumps(outcome, indent=1) + "\n")
    for rival, reason in outcome.items():
        print(f"{rival}: {reason or 'installed'}")


def install(environment: Path, requirements: list[str]) -> str | None:
    """None when it worked, else pip's last line."""
    pip: list[str | Path] = [
        environment / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    done = subprocess.run([*pip, *requirements], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.strip().splitlines() if line.startswith("ERROR")]
    return f"pip could not install it: {lines[-1] if lines else f'status {done.returncode}'}"


if __name__ == "__main__":
    main()
