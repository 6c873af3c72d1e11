"""Servers on free loopback ports, each ended by its own process id: a private
Postgres, Narrows, pgbouncer. All are context managers."""

import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

from .programs import as_postgres, give_to_postgres, psql


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A child process that answers `select 1` once it is ready."""

    ending = signal.SIGTERM
    user = "postgres"
    probe = "postgres"

    def __init__(self):
        self.port = free_port()
        self.process = None

    def url(self, database):
        return f"postgres://{self.user}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    @property
    def pid(self):
        return self.process.pid

    def start(self, command, log, mode="w", **options):
        output = open(log, mode)
        # In a session of its own: Ctrl-C ends it through us, in order.
        self.process = subprocess.Popen(command, stdout=output, stderr=output,
                                        start_new_session=True, **options)
        output.close()
        try:
            self.wait_until_ready(log)
        except BaseException:
            self.stop()
            raise

    def wait_until_ready(self, log):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                sys.exit(f"a server ended with {self.process.returncode}; {log} says why")
            if psql(self.url(self.probe), "select 1").returncode == 0:
                return
            time.sleep(0.2)
        sys.exit(f"a server does not answer; {log} says why")

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(self.ending)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __exit__(self, *_):
        self.stop()


class Postgres(Server):
    """A private server, its cluster kept in a folder."""

    ending = signal.SIGINT

    def __init__(self, cluster, binaries, settings=(), locale="C"):
        super().__init__()
        self.cluster = pathlib.Path(cluster)
        self.binaries = pathlib.Path(binaries)
        self.settings = dict(settings)
        self.locale = locale

    def __enter__(self):
        if not (self.cluster / "PG_VERSION").exists():
            self.cluster.mkdir(parents=True, exist_ok=True)
            give_to_postgres(self.cluster)
            self.run("initdb", "-D", self.cluster, "-U", "postgres", "-A", "trust",
                     "-E", "UTF8", f"--locale={self.locale}", "--no-sync")
        settings = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
            "fsync": "off", "shared_buffers": "512MB", "work_mem": "64MB",
            "maintenance_work_mem": "512MB", "max_wal_size": "8GB", "jit": "off",
            **self.settings,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = [*as_postgres(), self.binaries / "postgres", "-D", self.cluster, *options]
        self.start(command, self.cluster.parent / "postgres.log", mode="a", cwd="/")
        return self

    def run(self, program, *arguments):
        subprocess.run([*as_postgres(), self.binaries / program, *arguments], check=True,
                       stdout=subprocess.DEVNULL, cwd="/")

    def create_database(self, name):
        admin = self.url("postgres")
        if not psql(admin, f"select 1 from pg_database where datname = '{name}'").stdout.strip():
            psql(admin, f"create database {name}", check=True)
        return self.url(name)


class Narrows(Server):
    """The server that is measured, over a catalog file of the given sections."""

    user = "bench"
    probe = "narrows"

    def __init__(self, binary, folder, sections):
        super().__init__()
        self.binary = binary
        self.folder = pathlib.Path(folder)
        self.sections = sections

    def __enter__(self):
        catalog = self.folder / "catalog.toml"
        catalog.write_text(f'[server]\nlisten = "127.0.0.1:{self.port}"\n\n{self.sections}')
        self.start([self.binary, "serve", "--catalog", catalog], self.folder / "narrows.log")
        return self


class PgBouncer(Server):
    """In transaction mode, over every database of one Postgres."""

    ending = signal.SIGINT

    def __init__(self, command, folder, postgres, pool):
        super().__init__()
        self.command = command
        self.folder = pathlib.Path(folder)
        self.postgres = postgres
        self.pool = pool

    def __enter__(self):
        configuration = self.folder / "pgbouncer.ini"
        users = self.folder / "userlist.txt"
        users.write_text('"postgres" ""\n')
        configuration.write_text(f"""\
[databases]
* = host=127.0.0.1 port={self.postgres.port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = {self.pool}
max_client_conn = 1000
max_prepared_statements = 200
log_connections = 0
log_disconnections = 0
ignore_startup_parameters = extra_float_digits
""")
        give_to_postgres(configuration, users)
        command = [*as_postgres(), *self.command, configuration]
        self.start(command, self.folder / "pgbouncer.log", cwd="/")
        return self


def readable_copy(source, folder):
    """A copy below a folder that the user postgres can reach, as caches may not be."""
    target = pathlib.Path(folder) / pathlib.Path(source).name
    shutil.copytree(source, target, symlinks=True)
    return target
