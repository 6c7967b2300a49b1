"""An app by aiohttp: GET /, and PUT and GET /upload."""

import sys

from aiohttp import web

upload = b""


async def hello(_):
    return web.Response(text="hello\n")


async def put(request):
    global upload
    upload = await request.read()
    return web.Response(status=201)


async def get(request):
    # In chunks of its own
    answer = web.StreamResponse()
    answer.enable_chunked_encoding()
    await answer.prepare(request)
    for begin in range(0, len(upload), 100_000):
        await answer.write(upload[begin : begin + 100_000])
    await answer.write_eof()
    return answer


app = web.Application(client_max_size=1 << 30)
app.add_routes([web.get("/", hello), web.put("/upload", put), web.get("/upload", get)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
