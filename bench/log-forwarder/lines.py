"""Lines of logs, the same in each run, and how figures are written."""

import json
import random
import statistics

AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/604.1",
    "kube-probe/1.34",
)


def block(size):
    """Lines as nginx writes them in its combined format, about 230 bytes each"""
    chance, lines, length = random.Random(1), [], 0
    while length < size:
        address = ".".join(str(chance.randrange(1, 255)) for _ in range(4))
        second = len(lines) // 50
        at = f"{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}"
        path = f"/api/v{chance.randrange(1, 3)}/{chance.choice(('orders', 'users', 'carts'))}/{chance.getrandbits(64):x}"
        status, answered = chance.choice((200, 200, 200, 304, 404, 500)), chance.randrange(100, 90_000)
        referrer = f"https://shop.example.org/{chance.choice(('search', 'basket', 'account'))}?page={chance.randrange(50)}"
        line = f'{address} - - [24/Nov/2026:{at} +0000] "GET {path} HTTP/1.1" {status} {answered} "{referrer}" "{chance.choice(AGENTS)}"\n'
        lines.append(line)
        length += len(line)
    return "".join(lines).encode()


def objects(size):
    """Lines as loggers write them in JSON, about 300 bytes each"""
    chance, lines, length = random.Random(2), [], 0
    messages = ("request handled", 'user "jane" logged in', "cannot reach upstream\nretrying in a second", "cart was emptied by its owner")
    while length < size:
        second = len(lines) // 50
        line = {
            "time": f"2026-11-24T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}.{chance.randrange(1000):03}Z",
            "level": chance.choice(("info", "info", "warn", "error")),
            "msg": chance.choice(messages),
            "logger": "shop.orders.handler",
            "status": chance.choice((200, 404, 500)),
            "duration_ms": round(chance.random() * 900, 3),
            "path": f"/api/v1/orders/{chance.getrandbits(64):x}",
            "trace_id": f"{chance.getrandbits(128):032x}",
            "user": {"id": chance.randrange(1, 10**6), "roles": ["admin", "dev"]},
            "cached": chance.random() < 0.5,
        }
        lines.append(json.dumps(line, separators=(",", ":")) + "\n")
        length += len(lines[-1])
    return "".join(lines).encode()


def spread(values, form):
    return f"{form(statistics.median(values))} ({form(min(values))}–{form(max(values))})"
