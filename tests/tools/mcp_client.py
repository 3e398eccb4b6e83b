"""A real MCP client: finds out how to log in, gets a token, and calls one tool.

It is given the URL of the server and a client id and secret, nothing else: the 401 leads it to the
resource metadata, that to the authorization server, and that to the token. One JSON line on
standard output tells what happened; the exit code is 0 only if the tool ran without an error.

    {"ok": true, "tools": ["get_forecast", ...], "text": "Sunny in Oslo", "requests": [...]}
    {"ok": false, "error": "...", "requests": [...]}

`requests` holds every HTTP exchange in order, as `[method, url, status]`.
"""

import argparse
import asyncio
import json
import logging
import sys
import warnings

import httpx2
from mcp import Client
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client


class Memory:
    """Token storage that lasts as long as the process."""

    def __init__(self):
        self.tokens = None
        self.client_info = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client_info

    async def set_client_info(self, client_info):
        self.client_info = client_info


async def run(arguments, requests):
    async def note(response):
        requests.append(
            [response.request.method, str(response.request.url), response.status_code]
        )

    credentials = ClientCredentialsOAuthProvider(
        server_url=arguments.url,
        storage=Memory(),
        client_id=arguments.client_id,
        client_secret=arguments.client_secret,
        issuer=arguments.issuer,
        scope=arguments.scope,
    )
    async with (
        httpx2.AsyncClient(
            auth=credentials, event_hooks={"response": [note]}, timeout=10, trust_env=False
        ) as http,
        Client(streamable_http_client(arguments.url, http_client=http)) as client,
    ):
        tools = [tool.name for tool in (await client.list_tools()).tools] if arguments.list else []
        result = await client.call_tool(arguments.tool, json.loads(arguments.arguments))
        first = len(requests)
        while (
            arguments.until
            and not result.is_error
            and all(status != arguments.until for *_, status in requests[first:])
        ):
            await asyncio.sleep(0.1)
            result = await client.call_tool(arguments.tool, json.loads(arguments.arguments))
        text = "".join(getattr(block, "text", "") for block in result.content)
        return {"ok": not result.is_error, "tools": tools, "text": text}


def reason(error):
    """The innermost messages of an exception that may be a group of them."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(reason(inner) for inner in error.exceptions)
    return f"{type(error).__name__}: {error}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="the MCP endpoint")
    parser.add_argument("--client-id", default="svc")
    parser.add_argument("--client-secret", help="default: the client id and `-secret`")
    parser.add_argument("--issuer", help="where the credentials belong; default: as discovered")
    parser.add_argument("--scope")
    parser.add_argument("--tool", default="get_forecast")
    parser.add_argument("--arguments", default='{"city": "Oslo"}', help="a JSON object")
    parser.add_argument("--list", action="store_true", help="list the tools first")
    parser.add_argument(
        "--until", type=int, help="call again until an answer after the first call has this status"
    )
    parser.add_argument("--deadline", type=float, default=20, help="seconds for everything")
    arguments = parser.parse_args()
    arguments.client_secret = arguments.client_secret or f"{arguments.client_id}-secret"
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)

    requests = []
    try:
        outcome = asyncio.run(asyncio.wait_for(run(arguments, requests), arguments.deadline))
    except Exception as error:  # whatever it was, the test reads it in the JSON line
        outcome = {"ok": False, "error": reason(error)}
    print(json.dumps({**outcome, "requests": requests}), flush=True)
    sys.exit(0 if outcome["ok"] else 1)


if __name__ == "__main__":
    main()
