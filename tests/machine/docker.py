"""What `docker` does for scripts/release.py, with processes: `docker.py compose …`.

Asks the test over a socket: each command becomes what it means for the processes that run there.
"""

import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as asking:
    asking.connect(os.environ["MACHINE_SOCKET"])
    asking.sendall(json.dumps({"words": sys.argv[1:]}).encode())
    asking.shutdown(socket.SHUT_WR)
    answer = json.loads(b"".join(iter(lambda: asking.recv(65536), b"")))
print(answer["said"], end="")
sys.exit(answer["code"])
