"""Starts ministack for s3stack: on loopback only, at a port that the system chose, with word of when it is ready.

    bootstrap.py daemon RUN RECORD   detached from the terminal, until SIGTERM; saves its data as it goes
    bootstrap.py owned RUN DIRECTORY ends, and removes DIRECTORY, when standard input closes

ministack's own settings come in the environment. Standard output gets one line of JSON as soon as requests are
answered (`run`, `pid`, `port`, `version`, `certificate`); everything else goes to standard error. GET /_s3stack/run
answers with that line: who knows RUN can tell this process from any other that has its process id or its port.

A daemon gets a file as standard input that its starter has locked (flock). It holds that file, and so the lock, for
as long as it lives: "does it run?" is a question to the kernel.
"""

import json
import os
import shutil
import socket
import sys
import threading

READY = os.fdopen(os.dup(1), "w")
# Whatever ministack or a library prints belongs into the log, not into the one-line protocol.
os.dup2(2, 1)

# How long a daemon waits after a write before it saves: one save for a burst of calls.
SAVE_AFTER_SECONDS = 1.0
# How long the end waits for what still runs after everything is saved.
GRACE_SECONDS = 2.0
# How often a daemon looks whether its folder is still there.
FOLDER_CHECK_SECONDS = 2.0


def keep_to_loopback():
    """Binds every listener of this process to loopback, also those that ministack opens on demand (RDS, MQTT)."""
    bind = socket.socket.bind

    def bind_to_loopback(self, address):
        if self.family == socket.AF_INET:
            address = ("127.0.0.1", *address[1:])
        elif self.family == socket.AF_INET6:
            address = ("::1", *address[1:])
        return bind(self, address)

    socket.socket.bind = bind_to_loopback


def become_daemon():
    """Leaves the terminal's session, whose hang-up and Ctrl-C must not reach the emulator; keeps the lock of stdin."""
    if os.fork():
        os._exit(0)
    os.setsid()
    # A copy that Lambda functions do not inherit: one that outlives a killed emulator must not hold its lock.
    os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def end_with_parent(directory):
    """Ends this process when standard input closes, which the kernel does in whatever way the parent ends."""

    def watch():
        while os.read(0, 4096):
            pass
        shutil.rmtree(directory, ignore_errors=True)
        os._exit(0)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def write_privately(path, text):
    """Replaces a file in one step."""
    temporary = f"{path}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(temporary, path)


def repair_ministack():
    """Escapes descriptions in IAM's XML: ministack 1.5.33 writes `&` as it came, which no client can parse."""
    from xml.sax.saxutils import escape

    from ministack.services import iam

    parameter = iam._p

    def escaped(parameters, key, default=""):
        value = parameter(parameters, key, default)
        return escape(value) if key == "Description" and isinstance(value, str) else value

    iam._p = escaped


def import_ahead():
    """Imports what every run calls first, while the client is still reading its stack file."""
    from ministack.app import _get_module

    for name in ("sts", "s3", "cloudwatch_logs"):
        _get_module(name)


class Application:
    """ministack's ASGI application, with the identity of this run and with saving as it goes."""

    def __init__(self, ready, record):
        self.line = json.dumps(ready)
        self.record = record
        self.written = None

    async def __call__(self, scope, receive, send):
        from ministack.app import app

        if scope["type"] == "lifespan":
            await app(scope, receive, lambda message: self.announce(send, message))
        elif scope["type"] == "http" and scope["path"] == "/_s3stack/run":
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(self.line)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": self.line.encode()})
        else:
            try:
                await app(scope, receive, send)
            finally:
                if self.written and scope.get("method") not in ("GET", "HEAD", "OPTIONS"):
                    self.written.set()

    async def announce(self, send, message):
        await send(message)
        if message["type"] != "lifespan.startup.complete":
            return
        if self.record:
            import asyncio

            self.written = asyncio.Event()
            self.saving = asyncio.create_task(self.save_as_it_goes())
            write_privately(self.record, self.line)
        print(self.line, file=READY, flush=True)
        READY.close()
        threading.Thread(target=import_ahead, name="import-ahead", daemon=True).start()

    async def save_as_it_goes(self):
        """Saves after each burst of writes, so that a kill loses a second and not everything."""
        import asyncio

        from ministack import app

        while True:
            await self.written.wait()
            await asyncio.sleep(SAVE_AFTER_SECONDS)
            self.written.clear()
            if not os.path.exists(self.record):
                continue
            try:
                app.save_all(app._build_persistence_save_dict())
            except Exception as error:
                app.logger.error("s3stack: could not save: %s", error)


async def until_told_to_end(record):
    """Returns on SIGTERM or SIGINT; ends a daemon at once whose folder was deleted, for nobody could find it again."""
    import asyncio
    import signal

    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    while not told.is_set():
        if record and not os.path.exists(record):
            os._exit(0)
        try:
            await asyncio.wait_for(told.wait(), FOLDER_CHECK_SECONDS)
        except TimeoutError:
            pass


def main(mode, run, place):
    os.umask(0o077)
    record = None
    if mode == "daemon":
        become_daemon()
        record = place
    else:
        end_with_parent(place)
    keep_to_loopback()

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", 0))
    # A client that comes between "ready" and the first accept waits in this queue.
    listener.listen(1024)
    port = listener.getsockname()[1]
    # ministack reads its port while it is imported: it goes into the URLs that it hands out.
    os.environ["GATEWAY_PORT"] = str(port)

    import asyncio

    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import _version
    from ministack.core import tls

    repair_ministack()
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.backlog = 1024
    config.keep_alive_timeout = 75
    # A connection that idles in a client's pool must not hold up the end.
    config.graceful_timeout = 0.2
    config.loglevel = "WARNING"
    certificate = None
    if tls.use_ssl_enabled():
        config.certfile, config.keyfile = tls.resolve_tls_material()
        certificate = config.certfile

    ready = {"run": run, "pid": os.getpid(), "port": port, "version": _version(), "certificate": certificate}

    async def serve_to_the_end():
        await serve(Application(ready, record), config, shutdown_trigger=lambda: until_told_to_end(record))
        if record:
            # All is saved: without the record nobody takes this end for a kill.
            os.remove(record)
        # A Lambda function that still runs would hold up the end of the thread pool.
        end = threading.Timer(GRACE_SECONDS, os._exit, [0])
        end.daemon = True
        end.start()

    asyncio.run(serve_to_the_end())


main(*sys.argv[1:])
