"""What the Python SDK reads in 401s and 403s, each `[status, [WWW-Authenticate lines]]`.

    challenge_reader.py '[[401, ["Bearer scope=\\"a\\""]]]'

Prints `{"readings": [{"python": {...}}]}` with `metadata`, `scope` and `error`, null where there was
nothing.
"""

import json
import sys

from httpx2 import Response
from mcp.client.auth.utils import (
    extract_field_from_www_auth,
    extract_resource_metadata_from_www_auth,
    extract_scope_from_www_auth,
)


def read(status, lines):
    response = Response(status, headers=[("www-authenticate", line) for line in lines])
    return {
        "metadata": extract_resource_metadata_from_www_auth(response),
        "scope": extract_scope_from_www_auth(response),
        "error": extract_field_from_www_auth(response, "error"),
    }


readings = [{"python": read(status, lines)} for status, lines in json.loads(sys.argv[1])]
print(json.dumps({"readings": readings}))
