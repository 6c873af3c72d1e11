//! TLS towards a source, by rustls: a configuration that checks as much of the
//! server's certificate as the source's sslmode asks. Called by `pool`.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::address::{CertificateCheck, ClientCertificate, Roots, Trust};
use crate::error::{Error, Result, SqlState};
use crate::names::SourceName;

/// Reads certificates from disk. F0000 if a file is missing or holds none.
pub(super) fn client_config(source: &SourceName, trust: &Trust) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal(error.to_string()))?;
    let builder = match trust.check {
        CertificateCheck::ChainAndName => builder.with_root_certificates(roots(source, trust)?),
        CertificateCheck::Chain => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier {
                provider,
                roots: Some(roots(source, trust)?),
            })),
        CertificateCheck::Nothing => {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Verifier {
                    provider,
                    roots: None,
                }))
        }
    };
    let mut config = match &trust.client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let (chain, key) = client_certificate(source, client)?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| unusable(source, "sslcert", error))?
        }
    };
    // As libpq since 17: servers that know it refuse other protocols on the port.
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(config)
}

fn roots(source: &SourceName, trust: &Trust) -> Result<RootCertStore> {
    let certificates = match &trust.roots {
        Roots::File(path) => certificates(source, "sslrootcert", path)?,
        Roots::System => rustls_native_certs::load_native_certs().certs,
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(unusable(source, "sslrootcert", "it holds no certificate"));
    }
    Ok(roots)
}

fn certificates(
    source: &SourceName,
    option: &str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(source, option, error))
}

fn client_certificate(
    source: &SourceName,
    client: &ClientCertificate,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let chain = certificates(source, "sslcert", &client.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&client.key)
        .map_err(|error| unusable(source, "sslkey", error))?;
    Ok((chain, key))
}

fn unusable(source: &SourceName, option: &str, why: impl std::fmt::Display) -> Error {
    Error::new(
        SqlState::CONFIG_FILE_ERROR,
        format!("source \"{source}\": the file of {option} cannot be used: {why}"),
    )
}

/// Checks the chain if there are roots, never the name; always that the server
/// holds the key of the certificate it shows.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    roots: Option<RootCertStore>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(end_entity)?,
                roots,
                intermediates,
                now,
                self.provider.signature_verification_algorithms.all,
            )?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
