"""A certificate authority of a moment, for the tests of client certificates.

    python certificates.py NAME...

Prints one line of JSON: for `ca` and each NAME its certificate and, but for `ca`, its key, as PEM.
NAME is an identity: `spiffe://...` becomes the URI of a client, anything else the DNS name of a
server, which is also good for 127.0.0.1.
"""

import datetime
import ipaddress
import json
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.now(datetime.timezone.utc)
MINUTES = datetime.timedelta(minutes=1)
AUTHORITY = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])


def builder(subject, key):
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(AUTHORITY)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - 5 * MINUTES)
        .not_valid_after(NOW + 120 * MINUTES)
    )


def authority(key):
    usage = x509.KeyUsage(*(flag in (5, 6) for flag in range(9)))
    made = builder(AUTHORITY, key)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return made.add_extension(usage, critical=True).sign(key, hashes.SHA256())


def leaf(name, key, authority_key):
    if name.startswith("spiffe://"):
        names = [x509.UniformResourceIdentifier(name)]
        purpose = ExtendedKeyUsageOID.CLIENT_AUTH
    else:
        names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        purpose = ExtendedKeyUsageOID.SERVER_AUTH
    made = builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")]), key)
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    made = made.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return made.sign(authority_key, hashes.SHA256())


def certificate_pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def main():
    authority_key = ec.generate_private_key(ec.SECP256R1())
    made = {"ca": {"certificate": certificate_pem(authority(authority_key))}}
    for name in sys.argv[1:]:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = certificate_pem(leaf(name, key, authority_key))
        made[name] = {"certificate": certificate, "key": key_pem(key)}
    print(json.dumps(made))


main()
