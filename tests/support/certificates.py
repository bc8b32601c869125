"""Certificates that a test made itself."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from serving import SECONDS


def certificate(directory: Path, alternative: str = "IP:127.0.0.1") -> Path:
    """Make cert.pem, which vouches for itself, and key.pem."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make certificates with")
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(directory / "key.pem"), "-out", str(directory / "cert.pem"), "-days", "2"]
    about = ["-subj", "/CN=tchat test", "-addext", f"subjectAltName={alternative}"]
    subprocess.run([*command, *files, *about], capture_output=True, check=True, timeout=SECONDS)
    return directory / "cert.pem"


def secure(directory: Path, alternative: str = "IP:127.0.0.1") -> tuple[str, str]:
    """The options of a server with a certificate of its own."""
    return (f"--tls-cert={certificate(directory, alternative)}", f"--tls-key={directory / 'key.pem'}")


def fingerprint(certificate: Path) -> str:
    """Return the SHA-256 of its public key in base64, by which a browser is told to trust it."""
    openssl = shutil.which("openssl") or "openssl"
    key = subprocess.run(
        [openssl, "x509", "-in", str(certificate), "-noout", "-pubkey"], capture_output=True, check=True
    )
    plain = subprocess.run(
        [openssl, "pkey", "-pubin", "-outform", "DER"], input=key.stdout, capture_output=True, check=True
    )
    return base64.b64encode(hashlib.sha256(plain.stdout).digest()).decode()
