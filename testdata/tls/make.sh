#!/bin/sh
# Makes the certificates of tests/source_faults.rs anew: ./make.sh, with OpenSSL 3. They are for tests alone and keep no
# secret: the keys of the two CAs are thrown away, those of the servers lie beside their certificates.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
from=20200101000000Z
to=21260101000000Z

key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1"; }

# authority NAME: NAME.pem, of which only the certificate stays
authority() {
    mkdir "$work/$1"
    : >"$work/$1/index"
    cat >"$work/$1/conf" <<CONF
[ca]
default_ca = own
[own]
database = $work/$1/index
new_certs_dir = $work/$1
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[server]
basicConstraints = critical,CA:false
extendedKeyUsage = serverAuth
subjectAltName = \${ENV::NAMES}
CONF
    key "$work/$1/key"
    NAMES=DNS:unused openssl req -new -config "$work/$1/conf" -key "$work/$1/key" -subj "/CN=$1 of tests" -out "$work/request"
    NAMES=DNS:unused sign "$1" authority "$1.pem" $from $to -selfsign
}

# sign CA KIND FILE FROM TO [OPTION]
sign() {
    openssl ca -batch -notext -config "$work/$1/conf" -extensions "$2" -keyfile "$work/$1/key" \
        $([ -n "${6-}" ] || echo "-cert $1.pem") ${6-} -in "$work/request" -out "$3" -startdate "$4" -enddate "$5" 2>"$work/said" ||
        { cat "$work/said" >&2; exit 1; }
}

# server NAME CA NAMES FROM TO: NAME.pem and NAME.key
server() {
    key "$1.key"
    export NAMES="$3"
    openssl req -new -config "$work/$2/conf" -key "$1.key" -subj "/CN=$1" -out "$work/request"
    sign "$2" server "$1.pem" "$4" "$5"
}

here=DNS:localhost,IP:127.0.0.1
authority ca
authority other-ca
server good ca $here $from $to
server expired ca $here $from 20210101000000Z
server not-yet ca $here 21250101000000Z $to
server other-name ca DNS:vault.example.com $from $to
server other other-ca $here $from $to
