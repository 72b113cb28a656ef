"""Where a MariaDB server is and how to log in, read from a URL. Connecting is in `connection`."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from loan_pipeline.bank.errors import BankError

SCHEMES = ("mysql+pymysql", "mysql", "mariadb+pymysql", "mariadb")
_DEFAULT_PORT = 3306
_ENCODE = (
    "In a user name, password or file name write @ as %40, : as %3A, / as %2F, # as %23, ? as %3F "
    "and % as %25."
)
_EXAMPLE = "mysql+pymysql://user:password@host:3306/financial?ssl_ca=/path/to/ca.pem"


@dataclass(frozen=True)
class Address:
    """A database on a MariaDB server.

    Attributes:
        tls: whether the connection must be encrypted and the server's certificate verified.
        ssl_ca: the certificate authorities to trust; the system's own where None.
        ssl_cert: a client certificate, with its key in `ssl_key`.
        unix_socket: a socket of this machine in place of host and port.
        bastion: `user@host[:port]` of the SSH host that reaches the server.
        attempts: how often to try to connect.
    """

    host: str
    port: int
    user: str
    database: str
    password: str = field(default="", repr=False)
    tls: bool = False
    ssl_ca: Path | None = None
    ssl_cert: Path | None = None
    ssl_key: Path | None = None
    unix_socket: str | None = None
    bastion: str | None = None
    attempts: int = 4
    connect_seconds: float = 10.0

    @property
    def name(self) -> str:
        """What and where it is, without the password."""
        way = f" through {self.bastion}" if self.bastion else ""
        return f"MariaDB {self.database} at {self.unix_socket or f'{self.host}:{self.port}'}{way}"

    @property
    def is_private(self) -> bool:
        """Whether no third party can read the connection or answer in the server's place."""
        at_home = self.host in ("localhost", "127.0.0.1", "::1")
        return self.tls or at_home or bool(self.unix_socket or self.bastion)

    def tls_context(self) -> ssl.SSLContext | None:
        """A context that verifies certificate and host name; None where TLS was not asked for."""
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ssl_ca)
            if self.ssl_cert:
                context.load_cert_chain(self.ssl_cert, self.ssl_key)
        except (OSError, ssl.SSLError) as error:
            raise BankError(
                f"The certificates for {self.name} cannot be read ({error}): ssl_ca, ssl_cert and "
                f"ssl_key must name PEM files; ssl_ca is {self.ssl_ca or 'not set'}."
            ) from None
        return context


def is_address(spec: str) -> bool:
    """Whether `spec` is a URL of a MariaDB server."""
    return spec.partition("://")[0] in SCHEMES


def parse_address(url: str, *, bastion: str | None = None) -> Address:
    """Read `mysql+pymysql://user:password@host[:port]/database[?options]`.

    Options are `ssl=true` (the system's authorities), `ssl_ca`, `ssl_cert`, `ssl_key` (files)
    and `unix_socket`. No message repeats the URL: it may hold a password.

    Raises:
        BankError: where the URL is something else.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORT
    except ValueError:
        raise BankError(
            f"The database URL is not well formed. {_ENCODE} It is like {_EXAMPLE}."
        ) from None
    # What follows a / ? or # that belongs to a password would be shown as host or database.
    if "@" in parts.path + parts.query or parts.fragment or "/" in parts.path.strip("/"):
        raise BankError(f"The database URL cannot be read. {_ENCODE} It is like {_EXAMPLE}.")
    database = unquote(parts.path.strip("/"))
    if parts.scheme not in SCHEMES or not (parts.hostname and parts.username and database):
        raise BankError(
            "The database URL must name a scheme "
            f"({', '.join(SCHEMES)}), user, host and database. {_ENCODE} It is like {_EXAMPLE}."
        )
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    files = {name: _file(options, name) for name in ("ssl_ca", "ssl_cert", "ssl_key")}
    tls = _switch(options, "ssl") or any(files.values())
    unix_socket = options.pop("unix_socket", None)
    options.pop("charset", None)  # always utf8mb4
    if options:
        raise BankError(
            f"The database URL has unknown options: {', '.join(sorted(options))}. Known are ssl, "
            "ssl_ca, ssl_cert, ssl_key and unix_socket; certificates are always verified."
        )
    return Address(
        host=parts.hostname,
        port=port,
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        database=database,
        tls=tls,
        ssl_ca=files["ssl_ca"],
        ssl_cert=files["ssl_cert"],
        ssl_key=files["ssl_key"],
        unix_socket=unix_socket,
        bastion=bastion,
    )


def _file(options: dict[str, str], name: str) -> Path | None:
    text = options.pop(name, "")
    return Path(text).expanduser() if text else None


def _switch(options: dict[str, str], name: str) -> bool:
    text = options.pop(name, "false").lower()
    known: Mapping[str, bool] = {"true": True, "1": True, "false": False, "0": False}
    if text not in known:
        raise BankError(f"The database URL's option {name} must be true or false.")
    return known[text]
