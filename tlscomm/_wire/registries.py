"""What the numbers in messages are called that are no suites, groups or signatures (IANA, TLS Parameters)."""

from __future__ import annotations

__all__ = [
    "ALERT_LEVELS",
    "CERTIFICATE_STATUS_TYPES",
    "CERTIFICATE_TYPES",
    "CLIENT_CERTIFICATE_TYPES",
    "COMPRESSION_ALGORITHMS",
    "COMPRESSION_METHODS",
    "CURVE_TYPES",
    "ECH_TYPES",
    "EXTENSIONS",
    "HEARTBEAT_MODES",
    "HPKE_AEADS",
    "HPKE_KDFS",
    "KEY_UPDATE_REQUESTS",
    "MAX_FRAGMENT_LENGTHS",
    "NAME_TYPES",
    "POINT_FORMATS",
    "PSK_MODES",
    "SRTP_PROFILES",
]

#: TLS ExtensionType Values; the last ones are of browsers, and in no registry.
EXTENSIONS = {
    0: "server_name",
    1: "max_fragment_length",
    2: "client_certificate_url",
    3: "trusted_ca_keys",
    4: "truncated_hmac",
    5: "status_request",
    6: "user_mapping",
    7: "client_authz",
    8: "server_authz",
    9: "cert_type",
    10: "supported_groups",
    11: "ec_point_formats",
    12: "srp",
    13: "signature_algorithms",
    14: "use_srtp",
    15: "heartbeat",
    16: "application_layer_protocol_negotiation",
    17: "status_request_v2",
    18: "signed_certificate_timestamp",
    19: "client_certificate_type",
    20: "server_certificate_type",
    21: "padding",
    22: "encrypt_then_mac",
    23: "extended_master_secret",
    24: "token_binding",
    25: "cached_info",
    26: "tls_lts",
    27: "compress_certificate",
    28: "record_size_limit",
    29: "pwd_protect",
    30: "pwd_clear",
    31: "password_salt",
    32: "ticket_pinning",
    33: "tls_cert_with_extern_psk",
    34: "delegated_credential",
    35: "session_ticket",
    36: "TLMSP",
    37: "TLMSP_proxying",
    38: "TLMSP_delegate",
    39: "supported_ekt_ciphers",
    41: "pre_shared_key",
    42: "early_data",
    43: "supported_versions",
    44: "cookie",
    45: "psk_key_exchange_modes",
    47: "certificate_authorities",
    48: "oid_filters",
    49: "post_handshake_auth",
    50: "signature_algorithms_cert",
    51: "key_share",
    52: "transparency_info",
    53: "connection_id_deprecated",
    54: "connection_id",
    55: "external_id_hash",
    56: "external_session_id",
    57: "quic_transport_parameters",
    58: "ticket_request",
    59: "dnssec_chain",
    60: "sequence_number_encryption_algorithms",
    61: "rrc",
    62: "tls_flags",
    64768: "ech_outer_extensions",
    65037: "encrypted_client_hello",
    65281: "renegotiation_info",
    13172: "next_protocol_negotiation",
    17513: "application_settings",
    17613: "application_settings",
    30031: "channel_id_old",
    30032: "channel_id",
    51764: "trust_anchors",
}

#: RFC 8446, section 6.
ALERT_LEVELS = {1: "warning", 2: "fatal"}

#: TLS ClientCertificateType Identifiers.
CLIENT_CERTIFICATE_TYPES = {
    1: "rsa_sign",
    2: "dss_sign",
    3: "rsa_fixed_dh",
    4: "dss_fixed_dh",
    5: "rsa_ephemeral_dh_RESERVED",
    6: "dss_ephemeral_dh_RESERVED",
    20: "fortezza_dms_RESERVED",
    64: "ecdsa_sign",
    65: "rsa_fixed_ecdh",
    66: "ecdsa_fixed_ecdh",
    67: "gost_sign256",
    68: "gost_sign512",
}

#: TLS Certificate Types (RFC 7250).
CERTIFICATE_TYPES = {0: "X509", 1: "OpenPGP", 2: "RawPublicKey", 3: "1609Dot2"}

#: TLS Certificate Compression Algorithm IDs (RFC 8879).
COMPRESSION_ALGORITHMS = {1: "zlib", 2: "brotli", 3: "zstd"}

#: TLS Compression Method Identifiers.
COMPRESSION_METHODS = {0: "null", 1: "DEFLATE", 64: "LZS"}

#: TLS Certificate Status Types.
CERTIFICATE_STATUS_TYPES = {1: "ocsp", 2: "ocsp_multi"}

#: RFC 8422, section 5.4.
CURVE_TYPES = {1: "explicit_prime", 2: "explicit_char2", 3: "named_curve"}

#: RFC 9849, section 5.
ECH_TYPES = {0: "outer", 1: "inner"}

#: RFC 6520, section 2.
HEARTBEAT_MODES = {1: "peer_allowed_to_send", 2: "peer_not_allowed_to_send"}

#: HPKE KDF and AEAD Identifiers (RFC 9180).
HPKE_KDFS = {1: "HKDF-SHA256", 2: "HKDF-SHA384", 3: "HKDF-SHA512"}
HPKE_AEADS = {1: "AES-128-GCM", 2: "AES-256-GCM", 3: "ChaCha20Poly1305", 0xFFFF: "Export-only"}

#: RFC 8446, section 4.6.3.
KEY_UPDATE_REQUESTS = {0: "update_not_requested", 1: "update_requested"}

#: RFC 6066, section 4.
MAX_FRAGMENT_LENGTHS = {1: "512 bytes", 2: "1024 bytes", 3: "2048 bytes", 4: "4096 bytes"}

#: RFC 6066, section 3.
NAME_TYPES = {0: "host_name"}

#: TLS EC Point Formats.
POINT_FORMATS = {0: "uncompressed", 1: "ansiX962_compressed_prime", 2: "ansiX962_compressed_char2"}

#: TLS PskKeyExchangeMode.
PSK_MODES = {0: "psk_ke", 1: "psk_dhe_ke"}

#: DTLS-SRTP Protection Profiles.
SRTP_PROFILES = {
    1: "SRTP_AES128_CM_HMAC_SHA1_80",
    2: "SRTP_AES128_CM_HMAC_SHA1_32",
    5: "SRTP_NULL_HMAC_SHA1_80",
    6: "SRTP_NULL_HMAC_SHA1_32",
    7: "SRTP_AEAD_AES_128_GCM",
    8: "SRTP_AEAD_AES_256_GCM",
}
