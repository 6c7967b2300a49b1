"""Conversations with `websocket_app.py` by websockets: `websocket_client.py SCENARIO URL [CA]`; exits with 0 if all is well."""

import asyncio
import os
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import PerMessageDeflate

# Long enough for a busy machine; no scenario waits for it.
PATIENCE = 60


def say(line):
    print(line, flush=True)


def equal(left, right):
    assert left == right, f"{left!r:.300} is not {right!r:.300}"


def open_socket(path="/", **settings):
    context = ssl.create_default_context(cafile=AUTHORITY) if AUTHORITY else None
    defaults = dict(ssl=context, max_size=None, ping_interval=None, open_timeout=PATIENCE, close_timeout=PATIENCE, proxy=None)
    return connect(URL + path, **{**defaults, **settings})


async def echoes():
    """Text and binary messages, with the compression that both sides offer"""
    async with open_socket() as socket:
        assert any(isinstance(extension, PerMessageDeflate) for extension in socket.protocol.extensions)
        for message in ["", "grüße", "x" * 70_000, b"", bytes(range(256)) * 300]:
            await socket.send(message)
            equal(await socket.recv(), message)
    equal((socket.close_code, socket.close_reason), (1000, ""))


async def without_compression():
    async with open_socket(compression=None) as socket:
        equal(socket.protocol.extensions, [])
        await socket.send("plain")
        equal(await socket.recv(), "plain")


async def large():
    """Messages of many buffers, both ways at once, compressed or not"""
    for compression in [None, "deflate"]:
        async with open_socket(compression=compression) as socket:
            message = os.urandom(8 << 20)

            async def send():
                for _ in range(3):
                    await socket.send(message)

            sender = asyncio.create_task(send())
            for _ in range(3):
                equal(await socket.recv(), message)
            await sender


async def fragments():
    """Messages of several frames, with pings between them"""
    async with open_socket() as socket:

        async def parts():
            for number in range(50):
                yield f"part {number} "
                await (await socket.ping())

        await socket.send(parts())
        equal(await socket.recv(), "".join(f"part {number} " for number in range(50)))
        await socket.send([b"a", b"", b"b" * 100_000])
        equal(await socket.recv(), b"a" + b"b" * 100_000)


async def pings():
    """Pings of both sides are answered."""
    async with open_socket("/ping") as socket:
        for _ in range(20):
            await asyncio.wait_for(await socket.ping(b"x" * 125), PATIENCE)
        equal(await socket.recv(), "all pongs have come")


async def pushes():
    """Messages of the app alone, one after the other"""
    async with open_socket("/push?count=3000") as socket:
        number = 0
        async for message in socket:
            equal(message, str(number) * 100)
            number += 1
        equal(number, 3000)


async def closes():
    """The code and the reason of a close pass both ways."""
    async with open_socket("/close?code=4321&reason=enough") as socket:
        try:
            await socket.recv()
            raise AssertionError("a message")
        except ConnectionClosed as closed:
            equal((closed.rcvd.code, closed.rcvd.reason), (4321, "enough"))
    async with open_socket() as socket:
        await socket.close(3456, "that is all")
    say("closed with 3456 that is all")


async def subprotocol():
    """Subprotocol and headers are agreed upon by the two ends."""
    headers = {"X-Ask": "1", "Authorization": "Bearer t"}
    async with open_socket("/headers", subprotocols=["chat.v3", "chat.v2"], additional_headers=headers) as socket:
        equal(socket.subprotocol, "chat.v2")
        say(await socket.recv())


async def refusals():
    """The app's own refusal arrives as it is."""
    try:
        async with open_socket("/forbidden"):
            raise AssertionError("opened")
    except InvalidStatus as refusal:
        equal((refusal.response.status_code, refusal.response.body), (403, b"not you\n"))


async def many():
    """Two hundred conversations at once"""

    async def one(number):
        async with open_socket() as socket:
            for turn in range(10):
                await socket.send(f"{number} {turn}")
                equal(await socket.recv(), f"{number} {turn}")

    await asyncio.gather(*(one(number) for number in range(200)))


async def until_end():
    """Ten busy conversations that the proxy ends; prints how each ended, and loses no message before that."""

    async def one(number):
        async with open_socket() as socket:
            turn = 0
            try:
                while True:
                    message = f"{number} {turn} " * 500
                    await socket.send(message)
                    equal(await socket.recv(), message)
                    turn += 1
                    if turn == 5:
                        say("talks")
            except ConnectionClosed as closed:
                # `rcvd` is None where no Close frame came.
                say(f"ended with {closed.rcvd and closed.rcvd.code}")

    await asyncio.gather(*(one(number) for number in range(10)))


SCENARIO, URL = sys.argv[1:3]
AUTHORITY = sys.argv[3] if len(sys.argv) > 3 else None
asyncio.run(globals()[SCENARIO]())
