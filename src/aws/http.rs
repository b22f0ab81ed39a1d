//! The one HTTP client below all SDK clients.
//!
//! It exists because the SDK's own loads and parses the system's certificates once per service client, even for plain
//! HTTP, and sends requests to the metadata services through a proxy. Here everything is made on first use, once.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// A connection that has been idle for this long is closed. AWS closes idle ones itself after 20 s or less in places;
/// a write that meets a connection being closed would have an uncertain end.
const IDLE: Duration = Duration::from_secs(10);

/// The certificates that `AWS_CA_BUNDLE` names cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file cannot be read.
    #[error("the certificates named by AWS_CA_BUNDLE cannot be read: {path}; correct the path or unset the variable")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It holds no certificate, or one that is broken.
    #[error("AWS_CA_BUNDLE names {path}, which {problem}; it must hold certificates in PEM form")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, as the rest of a sentence.
        problem: String,
    },
}

/// Reads a bundle of certificates and checks every one: the SDK's client takes them unchecked and panics later.
pub fn read_bundle(path: PathBuf) -> Result<Vec<u8>, BundleError> {
    let pem = match std::fs::read(&path) {
        Ok(pem) => pem,
        Err(source) => return Err(BundleError::Unreadable { path, source }),
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let added = match certificate {
            Ok(certificate) => roots.add(certificate).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(problem) = added {
            return Err(BundleError::Invalid { path, problem: format!("holds a broken certificate ({problem})") });
        }
    }
    if roots.is_empty() {
        return Err(BundleError::Invalid { path, problem: "holds no certificate".into() });
    }
    Ok(pem)
}

/// Makes the client. `bundle` is trusted beside the system's certificates; with `proxies` off, the environment's proxy
/// variables are ignored (the private AWS of this machine is never behind one).
pub fn client(bundle: Option<Vec<u8>>, proxies: bool) -> SharedHttpClient {
    SharedHttpClient::new(Client(Arc::new(Connectors { bundle, proxies, made: RwLock::default() })))
}

#[derive(Debug, Clone)]
struct Client(Arc<Connectors>);

#[derive(Debug)]
struct Connectors {
    bundle: Option<Vec<u8>>,
    proxies: bool,
    made: RwLock<HashMap<Route, SharedHttpConnector>>,
}

/// Which connector a request goes through; each has its own pool of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Route {
    tls: bool,
    proxied: bool,
    connect_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
}

impl HttpClient for Client {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Routed { connectors: Arc::clone(&self.0), settings: settings.clone() })
    }
}

/// Chooses the connector when the address of the request is known.
#[derive(Debug)]
struct Routed {
    connectors: Arc<Connectors>,
    settings: HttpConnectorSettings,
}

impl HttpConnector for Routed {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match self.connectors.choose(request.uri(), &self.settings) {
            Ok(connector) => connector.call(request),
            Err(error) => HttpConnectorFuture::ready(Err(error)),
        }
    }
}

impl Connectors {
    fn choose(&self, uri: &str, settings: &HttpConnectorSettings) -> Result<SharedHttpConnector, ConnectorError> {
        let proxied = self.proxies && !is_near(uri);
        let route = Route {
            tls: uri.starts_with("https:") || (proxied && has_tls_proxy()),
            proxied,
            connect_timeout: settings.connect_timeout(),
            read_timeout: settings.read_timeout(),
        };
        let poisoned = || ConnectorError::other("the connectors are poisoned".into(), None);
        if let Some(connector) = self.made.read().map_err(|_| poisoned())?.get(&route) {
            return Ok(connector.clone());
        }
        let mut made = self.made.write().map_err(|_| poisoned())?;
        if let Some(connector) = made.get(&route) {
            return Ok(connector.clone());
        }
        let connector = SharedHttpConnector::new(self.connector(route, settings)?);
        made.insert(route, connector.clone());
        Ok(connector)
    }

    fn connector(&self, route: Route, settings: &HttpConnectorSettings) -> Result<Connector, ConnectorError> {
        // Loading and parsing the system's certificates costs ten times what the rest does.
        let mut trust = TrustStore::empty().with_native_roots(route.tls);
        if let Some(bundle) = self.bundle.as_ref().filter(|_| route.tls) {
            trust = trust.with_pem_certificate(bundle.clone());
        }
        let context = TlsContext::builder()
            .with_trust_store(trust)
            .build()
            .map_err(|error| ConnectorError::user(Box::new(error)))?;
        let proxy = if route.proxied { ProxyConfig::from_env() } else { ProxyConfig::disabled() };
        Ok(Connector::builder()
            .connector_settings(settings.clone())
            .pool_idle_timeout(IDLE)
            // As many as the limiter lets be under way: a connection that is closed for want of room is made again.
            .pool_max_idle_per_host(usize::MAX)
            .proxy_config(proxy)
            .tls_provider(Provider::rustls(CryptoMode::Ring))
            .tls_context(context)
            .build())
    }
}

/// Whether `uri` is on this machine, or the metadata service of the machine or container, which no proxy may see: its
/// answers are credentials.
fn is_near(uri: &str) -> bool {
    let Some((_, rest)) = uri.split_once("://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    match host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        // fd00:ec2:: is where EC2 and EKS answer over IPv6.
        Ok(std::net::IpAddr::V6(address)) => address.is_loopback() || address.segments().starts_with(&[0xfd00, 0x0ec2]),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// Whether requests over plain HTTP go through a proxy that is itself reached over TLS.
fn has_tls_proxy() -> bool {
    ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
        .into_iter()
        .filter_map(std::env::var_os)
        .any(|value| value.to_string_lossy().starts_with("https:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_and_metadata_services_are_near() {
        for uri in [
            "http://127.0.0.1:4566/bucket",
            "http://localhost:4566",
            "http://s3.localhost:4566/",
            "http://[::1]:80/x",
            "http://169.254.169.254/latest/meta-data",
            "http://169.254.170.2?x=1",
            "http://[fd00:ec2::254]/latest",
        ] {
            assert!(is_near(uri), "{uri}");
        }
        for uri in ["https://s3.us-east-1.amazonaws.com/", "http://10.0.0.1/", "http://localhost.example.com", "x"] {
            assert!(!is_near(uri), "{uri}");
        }
    }

    #[test]
    fn a_bundle_without_certificates_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "no certificate").unwrap();
        let error = read_bundle(file.path().into()).unwrap_err();
        assert!(error.to_string().contains("holds no certificate"), "{error}");
    }

    #[test]
    fn a_broken_certificate_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        let error = read_bundle(file.path().into()).unwrap_err();
        assert!(error.to_string().contains("holds a broken certificate"), "{error}");
    }

    #[test]
    fn a_missing_bundle_is_named() {
        let error = read_bundle("/nowhere/bundle.pem".into()).unwrap_err();
        assert!(error.to_string().contains("/nowhere/bundle.pem"), "{error}");
    }
}
