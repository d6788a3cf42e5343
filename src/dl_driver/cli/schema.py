# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``dl-driver schema``: what an editor needs to complete and check workload files."""


def schema() -> None:
    """Print the JSON Schema of a workload file, for editors."""
    import json

    from dl_driver.config.jsonschema import workload_schema

    print(json.dumps(workload_schema(), indent=2))
