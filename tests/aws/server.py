"""moto's server on a free port, for as long as stdin is open: it ends with whoever has started it. Prints the port.

With a folder it speaks TLS, for 127.0.0.1, and puts its CA there.
"""

import datetime
import ipaddress
import os
import ssl
import sys
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server


def end_with_stdin():
    sys.stdin.read()
    os._exit(0)


def tls(folder):
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = certificate("a CA of a test", ca_key, ca_key, x509.BasicConstraints(ca=True, path_length=0))
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    own = certificate("moto", key, ca_key, address)
    (folder / "ca.pem").write_bytes(ca)
    (folder / "own.pem").write_bytes(own + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem")
    return context


def certificate(name, key, ca_key, extension):
    def named(text):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(
        issuer_name=named("a CA of a test"), subject_name=named(name), public_key=key.public_key(),
        serial_number=x509.random_serial_number(), not_valid_before=now - day, not_valid_after=now + day)
    signed = builder.add_extension(extension, critical=False).sign(ca_key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


threading.Thread(target=end_with_stdin, daemon=True).start()
context = tls(Path(sys.argv[1])) if len(sys.argv) > 1 else None
server = make_server(
    "127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True, ssl_context=context)
print(server.port, flush=True)
server.serve_forever()
