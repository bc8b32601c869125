"""TLS: the context of a listener, and how its certificate is renewed while it is in use."""

from __future__ import annotations

import ssl
from pathlib import Path

__all__ = ["Certificate"]


class Certificate:
    """A certificate file and its key file, as they were when they were read last.

    Attributes:
        context: for the listeners; it serves what `reload` read last.

    Raises:
        OSError: the files are no good; its `strerror` names the file.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self.context = self._current = self._load()
        self.context.sni_callback = self._choose

    def reload(self) -> None:
        """Read the files again, for handshakes from now on. Raises OSError and changes nothing if they are no good."""
        self._current = self._load()

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        certificate, key = self._files
        for file in self._files:
            try:
                file.open("rb").close()
            except OSError as error:  # OpenSSL would not say which file it is
                raise OSError(error.errno, f"{file}: {error.strerror}") from None
        try:
            context.load_cert_chain(certificate, key, self._refuse_passphrase)
        except ssl.SSLError as error:
            do_not_match = error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH")
            reason = "do not belong together" if do_not_match else f"are no certificate and its key in PEM ({error})"
            raise OSError(error.errno, f"{certificate} and {key} {reason}") from None
        return context

    def _refuse_passphrase(self) -> str:
        """Answer OpenSSL, which would otherwise ask for a passphrase on the terminal and wait."""
        raise OSError(None, f"{self._files[1]} is encrypted: give a key without a passphrase")

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Give a handshake that begins the files read last; called for every one, whatever host name it asks for."""
        connection.context = self._current
