//! A server over TLS whose certificate is made on the spot: trusted where its authority is named, and
//! refused everywhere else.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;

/// An authority, and the file by which others know it.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("authority.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// A server of this name, for which the authority vouches.
    fn server(&self, name: &str, valid: bool, answers: Vec<String>) -> Server {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        if !valid {
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
            params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let own = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let chain = vec![CertificateDer::from(own.der().to_vec())];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Server::secret(answers, config.with_single_cert(chain, key).unwrap())
    }
}

fn ask(server: &Server, host: &str, authorities: Option<&Path>) -> Result<Piece, Error> {
    let authorities = authorities.map(Path::to_owned);
    let client = Client::new(Options { authorities, ..options(Some("hf_secret")) })?;
    let url = server.url(host);
    let (base, name) = url.rsplit_once('/').unwrap();
    Link::new(&Arc::new(client), base, [name]).part(TEN)
}

#[test]
fn a_server_is_trusted_whose_authority_is_named() {
    let authority = Authority::new("ours");
    for name in ["localhost", "127.0.0.1"] {
        let server = authority.server(name, true, vec![part(2, "234"); 2]);
        assert_eq!(ask(&server, name, Some(&authority.file())).unwrap().bytes, b"234");
        assert!(server.asked()[0].contains("authorization: bearer hf_secret"));
    }
}

#[test]
fn nobody_else_is_and_nothing_is_told_to_them() {
    let (authority, other) = (Authority::new("ours"), Authority::new("theirs"));
    for (what, name, valid, known) in [
        ("UnknownIssuer", "localhost", true, None),
        ("UnknownIssuer", "localhost", true, Some(other.file())),
        ("not valid for name", "example.org", true, Some(authority.file())),
        ("certificate expired", "localhost", false, Some(authority.file())),
    ] {
        let server = authority.server(name, valid, vec![part(2, "234"); 3]);
        let error = ask(&server, "localhost", known.as_deref()).unwrap_err();
        assert!(matches!(error, Error::Untrusted { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(what) && text.contains("PEM file"), "{text}");
        assert!(server.asked().is_empty(), "{:?}", server.asked());
    }
}

#[test]
fn a_file_without_authorities_is_told_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.pem");
    for (text, what) in [(None, "No such file"), (Some("no PEM at all"), "no certificate in it")] {
        text.into_iter().for_each(|text| std::fs::write(&path, text).unwrap());
        let error = Client::new(Options { authorities: Some(path.clone()), ..options(None) });
        let error = error.unwrap_err().to_string();
        assert!(error.contains(what) && error.contains("none.pem"), "{error}");
    }
}
