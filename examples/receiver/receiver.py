"""A webhook receiver that believes only what Darkroom has signed:
PORT=9000 DARKROOM_WEBHOOK_SECRET=whsec_... python3 receiver.py

Standard Webhooks: HMAC-SHA256 over id, time and the bytes of the body. Libraries for it exist in most languages.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = int(os.environ.get("PORT", "9000"))
SECRET = base64.b64decode(os.environ.get("DARKROOM_WEBHOOK_SECRET", "").replace("whsec_", "", 1))
TOLERANCE = 5 * 60
# A call whose answer got lost comes again under the same id. Keep these where they outlast a restart.
known = set()


def is_signed(headers, body):
    call, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    # An old call that was overheard proves nothing.
    if not moment.isdecimal() or abs(time.time() - int(moment)) > TOLERANCE:
        return False
    digest = hmac.new(SECRET, ("%s.%s." % (call, moment)).encode() + body, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    # While a secret is rotated two signatures come, with a blank between them.
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(each.encode(), expected.encode()) for each in given)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if not is_signed(self.headers, body):
            print("refused: not signed by our Darkroom", flush=True)
            return self.answer(401)
        # Answer first and work afterwards: whoever takes too long is called again.
        self.answer(204)
        if self.headers["webhook-id"] in known:
            return None
        known.add(self.headers["webhook-id"])
        event = json.loads(body)
        print(event["type"], event["data"]["batch_id"], flush=True)

    def answer(self, status):
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


if not SECRET:
    sys.exit("Set DARKROOM_WEBHOOK_SECRET: an empty one would believe everybody.")
print("listening on http://127.0.0.1:%d" % PORT, flush=True)
ThreadingHTTPServer(("127.0.0.1", PORT), Receiver).serve_forever()
