"""Connections to MariaDB: reached, encrypted where asked, retried, and errors put in words."""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

import pymysql
from pymysql.constants import CR, ER

from loan_pipeline.bank.errors import BankConnectionLost, BankError, BankUnreachable
from loan_pipeline.bank.mariadb.address import Address
from loan_pipeline.bank.mariadb.tunnel import open_tunnel

Connection: TypeAlias = "pymysql.Connection[pymysql.cursors.Cursor]"

logger = logging.getLogger(__name__)

# Double quotes around names, as in DuckDB; wrong values are errors, never adjusted.
_SQL_MODE = "ANSI_QUOTES,STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION"

_SECONDS_BEFORE_RETRY = 0.5  # doubled each time
_TOO_MANY_CONNECTIONS, _SHUTTING_DOWN, _KILLED = 1040, ER.SERVER_SHUTDOWN, 1927
_LOST = frozenset({0, CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, _SHUTTING_DOWN, _KILLED})
_TRANSIENT = _LOST | {CR.CR_CONN_HOST_ERROR, _TOO_MANY_CONNECTIONS}

_HINTS = {
    ER.ACCESS_DENIED_ERROR: "Check user and password in the database URL.",
    ER.DBACCESS_DENIED_ERROR: "Grant the user rights on the database, or name another one.",
    ER.TABLEACCESS_DENIED_ERROR: "Grant the user rights on the table.",
    ER.BAD_DB_ERROR: "Create the database, or correct its name in the URL.",
    ER.LOCK_WAIT_TIMEOUT: "Somebody else holds the tables: try again when they are done.",
    ER.RECORD_FILE_FULL: "Free space on the server, then try again.",
    ER.DISK_FULL: "Free space on the server, then try again.",
    ER.NO_SUCH_TABLE: "Fill the bank (--source), or check the database's name.",
    CR.CR_SSL_CONNECTION_ERROR: (
        "TLS was asked for, so nothing was sent. Switch TLS on in the server, or take the ssl "
        "options out of the URL where the network is trusted."
    ),
}


@contextmanager
def connected(address: Address, *, local_infile: bool = False) -> Iterator[Connection]:
    """A connection for as long as needed, through the bastion where there is one.

    Args:
        address: the server and the login.
        local_infile: whether the server may ask for the file of a LOAD DATA LOCAL INFILE.

    Raises:
        BankUnreachable: where the server cannot be reached or refuses.
        BankConnectionLost: where the connection breaks while in use.
        BankError: on any other error of the server.
    """
    with open_tunnel(address.bastion, address.host, address.port) as endpoint:
        connection = _connect(address, endpoint, local_infile=local_infile)
        try:
            yield connection
        except pymysql.MySQLError as error:
            raise in_words(error, address) from error
        finally:
            with suppress(pymysql.MySQLError):
                connection.close()


def error_code(error: BaseException) -> int:
    """The server's or client's number of an error; 0 where there is none."""
    code = error.args[0] if error.args else 0
    return code if isinstance(code, int) else 0


def _connect(address: Address, endpoint: tuple[str, int], *, local_infile: bool) -> Connection:
    pause = _SECONDS_BEFORE_RETRY
    for attempt in range(1, address.attempts + 1):
        try:
            return _connect_once(address, endpoint, local_infile=local_infile)
        except (pymysql.MySQLError, OSError) as error:
            if attempt == address.attempts or not _is_transient(error):
                raise _unreachable(error, address) from None
            logger.info("%s does not answer yet, trying again in %.1f s", address.name, pause)
            time.sleep(pause)
            pause *= 2
    raise AssertionError("an address is tried at least once")


def _connect_once(address: Address, endpoint: tuple[str, int], *, local_infile: bool) -> Connection:
    connection: Connection = pymysql.connect(
        host=address.host,  # also what the certificate must be made out to
        user=address.user,
        password=address.password,
        database=address.database,
        charset="utf8mb4",
        sql_mode=_SQL_MODE,
        autocommit=True,
        local_infile=local_infile,
        ssl=address.tls_context(),
        defer_connect=True,
    )
    sock = _socket(address, endpoint)
    # The greeting must come in time too. TLS takes the socket over, so the timer holds a copy.
    with sock.dup() as copy:
        timer = threading.Timer(address.connect_seconds, _hang_up, [copy])
        timer.start()
        try:
            connection.connect(sock)
        except BaseException:
            sock.close()
            raise
        finally:
            timer.cancel()
    return connection


def _hang_up(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _socket(address: Address, endpoint: tuple[str, int]) -> socket.socket:
    if not address.unix_socket:
        sock = socket.create_connection(endpoint, address.connect_seconds)
        _notice_silence(sock)
        return sock
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(address.unix_socket)
    except OSError:
        sock.close()
        raise
    return sock


def _notice_silence(sock: socket.socket) -> None:
    """Have the system end a connection whose other side is gone, which queries cannot notice."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def _cause(error: BaseException) -> BaseException:
    """What pymysql wrapped."""
    return getattr(error, "original_exception", None) or error


def _is_transient(error: BaseException) -> bool:
    cause = _cause(error)
    if isinstance(cause, ssl.SSLError):
        return False
    if isinstance(cause, socket.gaierror):
        return cause.errno == socket.EAI_AGAIN
    return isinstance(cause, OSError) or error_code(error) in _TRANSIENT


def _unreachable(error: BaseException, address: Address) -> BankUnreachable:
    cause = _cause(error)
    place = f"{address.host}:{address.port}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return BankUnreachable(
            f"The certificate of {address.name} is not to be trusted: {cause.verify_message}. "
            f"Let ssl_ca name the authority that signed it (now "
            f"{address.ssl_ca or 'those of the system'}); on RDS that is Amazon's bundle "
            "global-bundle.pem."
        )
    if isinstance(cause, socket.gaierror):
        return BankUnreachable(
            f"There is no host {address.host} ({cause.strerror}). Check the database URL"
            f"{'' if address.bastion else ', or set LOAN_BASTION for a private server'}."
        )
    if isinstance(cause, OSError) or error_code(error) in _LOST:
        return BankUnreachable(
            f"{address.name} does not answer at {place} ({cause}; attempts: "
            f"{address.attempts}). Is the server running, and does its network let us in?"
        )
    return BankUnreachable(str(in_words(error, address)))


def in_words(error: BaseException, address: Address) -> BankError:
    """The error of a connection in use, with what to do about it."""
    code = error_code(error)
    text = error.args[1] if len(error.args) > 1 else str(error)
    if code in _LOST:
        return BankConnectionLost(
            f"The connection to {address.name} was lost ({text or 'closed'}). "
            "Nothing half done remains; try again when the server is back."
        )
    hint = _HINTS.get(code, "")
    return BankError(f"{address.name} answered with error {code}: {text}. {hint}".rstrip())
