# SPDX-License-Identifier: GPL-2.0-or-later
"""The neighbour's services, run in the namespace rawnet-far. Prints one line when all of them listen.

  7 tcp, udp   echo
  80           HTTP: GET / a greeting, GET /bulk/N N bytes, POST or PUT /sink answers "SHA256 N"
  9000 tcp     source: reads "N\n", sends N bytes and closes
  9001 tcp     sink: reads "N\n" and N bytes, answers "SHA256 N\n" and closes
The N bytes are always the same: SHAKE-128 of "rawnet", so that both ends can check them.
"""

import asyncio
import hashlib
import socket

from wire import HAS_IPV6

LIMIT = 1 << 30  # bytes a caller may ask for
CHUNK = 1 << 16


def bulk(size):
    return hashlib.shake_128(b"rawnet").digest(size)


def parse_size(text):
    size = int(text)
    if not 0 <= size <= LIMIT:
        raise ValueError(size)
    return size


async def digest_of(reader, size):
    digest, left = hashlib.sha256(), size
    while left and (data := await reader.read(min(left, CHUNK))):
        digest.update(data)
        left -= len(data)
    return f"{digest.hexdigest()} {size - left}\n".encode()


async def echo(reader, writer):
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()


async def source(reader, writer):
    writer.write(bulk(parse_size(await reader.readline())))
    await writer.drain()


async def sink(reader, writer):
    writer.write(await digest_of(reader, parse_size(await reader.readline())))
    await writer.drain()


async def http(reader, writer):
    method, path, _ = (await reader.readline()).decode("latin-1").split(" ", 2)
    size = 0
    while (line := (await reader.readline()).strip()):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = parse_size(value)
    status, body = "200 OK", b"The neighbour greets the guest.\n"
    if method in ("POST", "PUT") and path == "/sink":
        body = await digest_of(reader, size)
    elif method == "GET" and path.startswith("/bulk/"):
        body = bulk(parse_size(path[6:]))
    elif path != "/":
        status, body = "404 Not Found", b"no such page\n"
    writer.write(f"HTTP/1.0 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()


def quietly(serve):
    """A caller that goes away or talks nonsense ends its own connection and nothing else."""

    async def handler(reader, writer):
        try:
            await serve(reader, writer)
        except (OSError, ValueError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    return handler


class UdpEcho(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.transport.sendto(data, addr)


async def main():
    for port, serve in ((7, echo), (80, http), (9000, source), (9001, sink)):
        if HAS_IPV6:
            listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
        else:
            listener = socket.create_server(("0.0.0.0", port))
        await asyncio.start_server(quietly(serve), sock=listener)
    # One socket for both families: an unbound-to-v6-only "::" hears IPv4 as well (ipv6(7)).
    await asyncio.get_running_loop().create_datagram_endpoint(UdpEcho, local_addr=("::" if HAS_IPV6 else "0.0.0.0", 7))
    print("ready", flush=True)
    await asyncio.get_running_loop().create_future()


asyncio.run(main())
