"""Two replicas behind one address, without affinity."""

import itertools
import socket
import threading


class RoundRobin:
    """Every request to the next one, whatever connection it came on."""

    def __init__(self, urls):
        ports = [int(url.split(":")[2].split("/")[0]) for url in urls]
        self.next = itertools.cycle(ports)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/mcp"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.relay, args=(client, next(self.next)), daemon=True).start()

    def relay(self, client, port):
        """One request; the connection ends with its answer."""
        with client, socket.create_connection(("127.0.0.1", port)) as replica:
            request = b""
            while b"\r\n\r\n" not in request:
                piece = client.recv(65536)
                if not piece:
                    return
                request += piece
            head, body = request.split(b"\r\n\r\n", 1)
            lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
            replica.sendall(b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body)
            threading.Thread(target=self.copy, args=(client, replica), daemon=True).start()
            self.copy(replica, client)

    @staticmethod
    def copy(source, sink):
        """Until the source ends; then the sink is told."""
        try:
            while piece := source.recv(65536):
                sink.sendall(piece)
        except OSError:
            pass
        try:
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
