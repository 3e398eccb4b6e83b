"""A real MCP server on a loopback port that also writes down every HTTP request it gets.

The record is NDJSON, one object a request: `method`, `path` (undecoded, with the query), `headers`
(a list of pairs in the order they came, names in lower case) and `body_bytes` (the length). A test
reads it to see what reached the upstream, and above all that nothing did.
"""

import argparse
import json
import os
import socket

import uvicorn
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

server = MCPServer("weather", version="1.0.0")


@server.tool()
def get_forecast(city: str) -> str:
    """The forecast for a city."""
    return f"Sunny in {city}"


@server.tool()
def set_alert(city: str, threshold: int) -> str:
    """Warn when it gets hotter than the threshold, in degrees Celsius."""
    return f"Alert for {city} above {threshold}"


@server.tool()
def delete_station(id: str) -> str:  # noqa: A002 - the name of the argument is the interface
    """Remove a weather station for good."""
    return f"Deleted {id}"


@server.prompt()
def packing_list(city: str) -> str:
    """What to pack for a journey."""
    return f"What should I pack for {city}?"


@server.resource("weather://stations")
def stations() -> str:
    """The stations that there are."""
    return json.dumps(["north", "south"])


class Recorder:
    """Wraps an ASGI application and appends a line to the record for every HTTP request.

    The line is written when the body has been read to its end or the answer is complete,
    whichever comes first, so that a client which has its answer finds the line in the file.
    """

    def __init__(self, app, path):
        self.app = app
        self.record = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        entry = {
            "method": scope["method"],
            "path": _text(scope["raw_path"]) + _query(scope),
            "headers": [[_text(name), _text(value)] for name, value in scope["headers"]],
            "body_bytes": 0,
        }
        written = False

        def write():
            nonlocal written
            if not written:
                written = True
                os.write(self.record, (json.dumps(entry) + "\n").encode())

        async def counting_receive():
            message = await receive()
            if message["type"] == "http.request":
                entry["body_bytes"] += len(message.get("body", b""))
                if not message.get("more_body", False):
                    write()
            return message

        async def recording_send(message):
            if message["type"] == "http.response.start":
                write()
            await send(message)

        try:
            await self.app(scope, counting_receive, recording_send)
        finally:
            write()


def _text(value):
    return value.decode("latin-1")


def _query(scope):
    return f"?{_text(scope['query_string'])}" if scope["query_string"] else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: the system chooses")
    parser.add_argument("--record", required=True, help="file to append the record to")
    arguments = parser.parse_args()

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", arguments.port))
    listener.listen()
    port = listener.getsockname()[1]

    app = server.streamable_http_app(
        stateless_http=True,
        json_response=True,
        # As a server without a front door would be set up: only its own address as Host.
        transport_security=TransportSecuritySettings(
            allowed_hosts=[f"127.0.0.1:{port}"], allowed_origins=[]
        ),
    )
    print(json.dumps({"port": port}), flush=True)
    config = uvicorn.Config(Recorder(app, arguments.record), log_level="warning", ws="none")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
