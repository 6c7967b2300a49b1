"""A WebSocket app by websockets: `websocket_app.py PORT [KEY CERTIFICATE]`; the path of a connection says what it does."""

import asyncio
import ssl
import sys
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


def say(line):
    print(line, flush=True)


async def talk(socket):
    url = urlsplit(socket.request.path)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    if url.path == "/close":
        await socket.close(int(query["code"]), query["reason"])
        return
    if url.path == "/headers":
        await socket.send("\n".join(f"{name.lower()}: {value}" for name, value in socket.request.headers.raw_items()))
        return
    if url.path == "/ping":
        # The library waits for the pong.
        for _ in range(20):
            await (await socket.ping(b"are you there?"))
        await socket.send("all pongs have come")
    if url.path == "/push":
        for number in range(int(query["count"])):
            await socket.send(str(number) * 100)
        return
    try:
        async for message in socket:
            await socket.send(message)
    except ConnectionClosed:
        pass
    finally:
        say(f"closed with {socket.close_code} {socket.close_reason}")


def choose(_, offered):
    return "chat.v2" if "chat.v2" in offered else None


def refuse(connection, request):
    if request.path == "/forbidden":
        return connection.respond(HTTPStatus.FORBIDDEN, "not you\n")


async def main():
    context = None
    if len(sys.argv) == 4:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[3], sys.argv[2])
    # Messages of any size, and no pings but those of a path
    settings = dict(max_size=None, ping_interval=None, ssl=context, select_subprotocol=choose, process_request=refuse)
    async with serve(talk, "127.0.0.1", int(sys.argv[1]), **settings) as server:
        say("serving")
        await server.serve_forever()


asyncio.run(main())
