//! The certificate that the page is served with: made anew each time, kept nowhere.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::Datelike;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// What shows that this machine is reached by these addresses, signed by itself.
pub fn make(addresses: &[IpAddr]) -> Result<Arc<ServerConfig>, String> {
    let key = KeyPair::generate().map_err(|error| error.to_string())?;
    let mut params = CertificateParams::new(["localhost".to_owned()]).map_err(|e| e.to_string())?;
    params.subject_alt_names.extend(addresses.iter().copied().map(SanType::IpAddress));
    params.distinguished_name.push(DnType::CommonName, "sinew");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Phones take none that lasts for longer than two years.
    let year = chrono::Utc::now().year();
    params.not_before = date_time_ymd(year - 1, 12, 31);
    params.not_after = date_time_ymd(year + 1, 1, 2);
    let own = params.self_signed(&key).map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder.with_no_client_auth().with_single_cert(vec![own.der().clone()], key)
        });
    config.map(Arc::new).map_err(|error| error.to_string())
}
