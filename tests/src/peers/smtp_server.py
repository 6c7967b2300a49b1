"""A mail server that keeps nothing: `smtp_server.py PORT starttls|tls CERTIFICATE KEY USER PASSWORD`.

It logs each command, and how each connection ends.
"""

import asyncio
import logging
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

port, mode, certificate, key, user, password = sys.argv[1:]
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(message)s")
tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
tls.load_cert_chain(certificate, key)


def authenticate(server, session, envelope, mechanism, login):
    is_right = (login.login, login.password) == (user.encode(), password.encode())
    return AuthResult(success=is_right, handled=False)


def protocol():
    return SMTP(
        None,
        hostname="mail.test",
        ident="mail",
        tls_context=tls if mode == "starttls" else None,
        authenticator=authenticate,
        auth_require_tls=mode == "starttls",
        auth_exclude_mechanism=["LOGIN"],
    )


async def serve():
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(protocol, "127.0.0.1", int(port), ssl=tls if mode == "tls" else None)
    print("serving", flush=True)
    await listener.serve_forever()


asyncio.run(serve())
