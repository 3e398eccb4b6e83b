"""A real MCP server with the tools `greet` and `danger` that writes down every tool it runs.

The record is NDJSON, one object a run: `tool`, and what a front door said of the caller in
`x-cedargate-subject` and `x-cedargate-scopes`, empty without one. It speaks every revision, without
sessions, and answers with one JSON object.
"""

import argparse
import json
import os
import socket
from contextvars import ContextVar

import uvicorn
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

server = MCPServer("two-tools", version="1.0.0")
caller = ContextVar("caller")
record = None


def run(tool):
    os.write(record, (json.dumps({"tool": tool, **caller.get()}) + "\n").encode())
    return f"ran {tool}"


@server.tool()
def greet() -> str:
    """Says that greet ran."""
    return run("greet")


@server.tool()
def danger() -> str:
    """Says that danger ran."""
    return run("danger")


def remember_caller(app):
    """Keeps what the front door said of the caller at hand for the tools."""

    async def remembering(scope, receive, send):
        if scope["type"] == "http":
            headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
            caller.set(
                {
                    "subject": headers.get("x-cedargate-subject", ""),
                    "scopes": headers.get("x-cedargate-scopes", ""),
                }
            )
        await app(scope, receive, send)

    return remembering


def main():
    global record
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: the system chooses")
    parser.add_argument("--record", required=True, help="file to append the record to")
    arguments = parser.parse_args()
    record = os.open(arguments.record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", arguments.port))
    listener.listen()
    port = listener.getsockname()[1]

    app = server.streamable_http_app(
        stateless_http=True,
        json_response=True,
        transport_security=TransportSecuritySettings(
            allowed_hosts=[f"127.0.0.1:{port}"], allowed_origins=[]
        ),
    )
    print(json.dumps({"port": port}), flush=True)
    config = uvicorn.Config(remember_caller(app), log_level="critical", ws="none")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
