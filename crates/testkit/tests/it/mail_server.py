"""A mail server for the tests: writes each letter that it takes to a file, and treats some readers badly.

Arguments: port, folder, and optionally a user and a password that it wants.
"""

import asyncio
import pathlib
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class Letters:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.taken = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused@"):
            return "550 5.1.1 nobody of that name here"
        if address.startswith("greylisted@") and not (self.folder / "white").exists():
            return "451 4.7.1 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.taken += 1
        text = "".join(f"X-Rcpt-To: {to}\n" for to in envelope.rcpt_tos) + envelope.content.decode("utf8", "replace")
        part = self.folder / f"{self.taken}.part"
        part.write_text(text, newline="")
        part.rename(self.folder / f"{self.taken}.eml")
        return "250 OK"


def authenticator(user, password):
    def check(server, session, envelope, mechanism, data):
        fine = (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=fine, handled=fine)

    return check


port, folder, login = int(sys.argv[1]), sys.argv[2], sys.argv[3:5]
more = {}
if login:
    more = {"authenticator": authenticator(*login), "auth_required": True, "auth_require_tls": False}
controller = Controller(Letters(folder), hostname="127.0.0.1", port=port, **more)
controller.start()
asyncio.new_event_loop().run_forever()
