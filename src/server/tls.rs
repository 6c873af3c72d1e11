//! Certificate, key and client authorities as a TLS server's configuration.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ring::digest;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;

use crate::auth::scram::Binding;
use crate::config;
use crate::error::{Error, Result, SqlState};
use crate::wire::{Tls, TlsIdentity};

pub fn load(base: &Path, settings: &config::Tls) -> Result<Tls> {
    Ok(Tls {
        current: ArcSwap::new(identity(base, settings)?),
        required: settings.required,
    })
}

pub fn identity(base: &Path, settings: &config::Tls) -> Result<Arc<TlsIdentity>> {
    let certificates = certificates(&base.join(&settings.cert))?;
    let key_file = base.join(&settings.key);
    let key = PrivateKeyDer::from_pem_file(&key_file).map_err(|e| unreadable(&key_file, &e))?;
    let binding = certificates.first().map_or(Binding::Unavailable, end_point);

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|e| invalid(&e))?;
    let builder = match &settings.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in self::certificates(&base.join(file))? {
                roots.add(certificate).map_err(|e| invalid(&e))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .build()
                .map_err(|e| invalid(&e))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(certificates, key)
        .map_err(|e| invalid(&e))?;
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(Arc::new(TlsIdentity {
        config: Arc::new(config),
        binding,
    }))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = || -> Result<Vec<_>, rustls::pki_types::pem::Error> {
        CertificateDer::pem_file_iter(file)?.collect()
    };
    let certificates = read().map_err(|e| unreadable(file, &e))?;
    if certificates.is_empty() {
        return Err(unreadable(file, &"no certificate in it"));
    }
    Ok(certificates)
}

fn unreadable(file: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::new(
        SqlState::CONFIG_FILE_ERROR,
        format!("{} cannot be used: {why}", file.display()),
    )
}

fn invalid(why: &dyn std::fmt::Display) -> Error {
    Error::new(
        SqlState::CONFIG_FILE_ERROR,
        format!("[server.tls] cannot be used: {why}"),
    )
}

/// tls-server-end-point: the certificate hashed as its own signature is, SHA-256
/// for weaker ones. RFC 5929 section 4.1.
fn end_point(certificate: &CertificateDer<'_>) -> Binding {
    let Some(algorithm) = signature_algorithm(certificate) else {
        return Binding::Unavailable;
    };
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
    let hash = match (algorithm.strip_prefix(RSA), algorithm.strip_prefix(ECDSA)) {
        (Some([4 | 5 | 11]), _) | (_, Some([2])) => &digest::SHA256,
        (Some([12]), _) | (_, Some([3])) => &digest::SHA384,
        (Some([13]), _) | (_, Some([4])) => &digest::SHA512,
        _ => return Binding::Unavailable,
    };
    Binding::EndPoint(digest::digest(hash, certificate).as_ref().to_vec())
}

/// The OID after the signed part of a certificate: RFC 5280 section 4.1.
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    const SEQUENCE: u8 = 0x30;
    const OID: u8 = 0x06;
    let (body, _) = element(certificate, SEQUENCE)?;
    let (_signed, rest) = element(body, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    element(algorithm, OID).map(|(oid, _)| oid)
}

/// The content of a DER element and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    if first != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            let length = bytes
                .iter()
                .fold(0usize, |length, byte| length << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}
