# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON Schema of a workload file: bare, or under a ``workload:`` of its own."""

from typing import Any

from dl_driver.config.schema import Workload

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def workload_schema() -> dict[str, Any]:
    """For editors; the older spellings that ``load`` takes too are left out, so that an editor offers today's."""
    schema = Workload.model_json_schema()
    definitions = schema.pop("$defs")
    nested = {
        "type": "object",
        "properties": {"workload": {"$ref": "#/$defs/Workload"}},
        "required": ["workload"],
    }
    return {
        "$schema": _DIALECT,
        "title": "dl-driver workload",
        "anyOf": [{"$ref": "#/$defs/Workload"}, nested],
        "$defs": {**definitions, "Workload": schema},
    }
