//! Certificates made simple: one house, and papers for each of its machines.
//!
//! ```text
//!   house.pem  whom everybody in the house trusts      house.key  what makes papers; stays where it is
//!   own.pem    who this machine is                     own.key    how it proves that
//! ```
//! Over `tls/…` both sides show papers of one house, or no link comes about.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::Error;

/// A papers' file is a few kilobytes.
const MOST_BYTES: u64 = 64 << 10;

/// Where a machine keeps its papers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Papers {
    folder: PathBuf,
}

/// What a machine shows and whom it trusts, to be carried there.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle {
    house: String,
    own: String,
    key: String,
}

impl Papers {
    /// Those in this folder, there or not yet.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Whether this machine has any.
    pub fn are_there(&self) -> bool {
        ["house.pem", "own.pem", "own.key"].iter().all(|name| self.path(name).exists())
    }

    /// Whether papers for others can be made here.
    pub fn make_others(&self) -> bool {
        self.path("house.key").exists()
    }

    /// Founds a house, whose certificate trusts all that are made here. One that is there stays.
    pub fn found(&self) -> Result<bool, Error> {
        if self.make_others() {
            return Ok(false);
        }
        let key = KeyPair::generate().map_err(failed)?;
        let house = house().and_then(|params| params.self_signed(&key)).map_err(failed)?;
        write(&self.path("house.pem"), &house.pem())?;
        // The key is what makes it founded: without that it is founded anew.
        write(&self.path("house.key"), &key.serialize_pem())?;
        Ok(true)
    }

    /// Makes papers for a machine that is reached by these names and addresses.
    pub fn issue(&self, names: &[String]) -> Result<Bundle, Error> {
        let key = read(&self.path("house.key"))?;
        let key = KeyPair::from_pem(&key).map_err(failed)?;
        let issuer = Issuer::new(house().map_err(failed)?, key);
        let own_key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new(names).map_err(failed)?;
        let name = names.first().map_or("sinew", String::as_str);
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let own = params.signed_by(&own_key, &issuer).map_err(failed)?;
        let house = read(&self.path("house.pem"))?;
        Ok(Bundle { house, own: own.pem(), key: own_key.serialize_pem() })
    }

    /// Takes papers as this machine's own.
    pub fn take(&self, bundle: &Bundle) -> Result<(), Error> {
        write(&self.path("own.key"), &bundle.key)?;
        write(&self.path("own.pem"), &bundle.own)?;
        write(&self.path("house.pem"), &bundle.house)
    }

    /// What zenoh is to be told, so that it shows these and trusts their house alone.
    pub(crate) fn settings(&self) -> Result<Vec<(String, String)>, Error> {
        if !self.are_there() {
            return Err(Error::NoPapers { folder: self.folder.clone() });
        }
        let file = |name: &str| serde_json::Value::from(self.path(name).to_string_lossy());
        let own = ["listen", "connect"].into_iter().flat_map(|side| {
            [
                (format!("{side}_certificate"), file("own.pem")),
                (format!("{side}_private_key"), file("own.key")),
            ]
        });
        let house = [
            ("root_ca_certificate".to_owned(), file("house.pem")),
            ("enable_mtls".to_owned(), true.into()),
        ];
        let all = own.chain(house);
        Ok(all
            .map(|(key, value)| (format!("transport/link/tls/{key}"), value.to_string()))
            .collect())
    }
}

impl Bundle {
    /// As one file.
    pub fn to_text(&self) -> String {
        [self.house.as_str(), &self.own, &self.key].map(str::trim_end).join("\n") + "\n"
    }

    /// From a file that [`Bundle::to_text`] made.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = read(path)?;
        let none = |what: &str| Error::Papers { what: what.to_owned(), path: path.to_owned() };
        let parts = pem::parse_many(&text).map_err(|error| none(&error.to_string()))?;
        let [house, own, key] = &parts[..] else {
            return Err(none("two certificates and a key are wanted"));
        };
        let tags = [house.tag(), own.tag(), key.tag()];
        if tags != ["CERTIFICATE", "CERTIFICATE", "PRIVATE KEY"] {
            return Err(none("two certificates and a key are wanted, in this order"));
        }
        let plain = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        let [house, own, key] = [house, own, key].map(|part| pem::encode_config(part, plain));
        KeyPair::from_pem(&key).map_err(|error| none(&error.to_string()))?;
        Ok(Self { house, own, key })
    }

    /// Writes it where nobody else can read it; an older file stays.
    pub fn write_new(&self, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let file = create(path).map_err(failed)?;
        let written = fill(file, &self.to_text()).and_then(|()| sync(folder_of(path)));
        written.map_err(|source| {
            // Half of it would be in the way of the whole.
            fs::remove_file(path).unwrap_or_default();
            failed(source)
        })
    }
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bundle")
    }
}

/// What a house says of itself: always the same, so that its key alone makes papers.
fn house() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name.push(DnType::CommonName, "Sinew house");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn failed(error: rcgen::Error) -> Error {
    Error::System { what: "a certificate", why: error.to_string() }
}

fn read(path: &Path) -> Result<String, Error> {
    use std::io::Read;

    let failed = |source| Error::File { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// Writes a file that only its owner can read, whole or not at all, into a folder of its owner's.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let folder = folder_of(path);
    let half = path.with_extension("half");
    let written = (|| {
        own(folder)?;
        // Whoever left one there could read on in it.
        gone(&half)?;
        fill(create(&half)?, text)?;
        fs::rename(&half, path)?;
        sync(folder)
    })();
    written.map_err(|source| {
        gone(&half).unwrap_or_default();
        failed(source)
    })
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a folder that is nobody else's, unless it is there.
fn own(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder_of(folder))?;
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => sync(folder_of(folder)),
        Err(_) if folder.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// A new file that only its owner can read.
fn create(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn fill(mut file: fs::File, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn gone(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn papers_are_made_carried_and_taken() {
        let [here, there] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let house = Papers::at(here.path());
        assert!(house.found().unwrap());
        assert!(!house.found().unwrap(), "a house is founded once");
        let bundle = house.issue(&["pi.local".to_owned(), "192.168.1.5".to_owned()]).unwrap();
        let file = there.path().join("pi.papers");
        bundle.write_new(&file).unwrap();
        assert!(bundle.write_new(&file).is_err(), "nothing is overwritten");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let papers = Papers::at(&there.path().join("net"));
        assert!(matches!(papers.settings(), Err(Error::NoPapers { .. })));
        papers.take(&Bundle::read(&file).unwrap()).unwrap();
        assert!(papers.are_there() && !papers.make_others());
        assert_eq!(papers.settings().unwrap().len(), 6);
        assert_eq!(fs::read_to_string(there.path().join("net/house.pem")).unwrap(), bundle.house);
    }

    #[test]
    fn a_house_that_was_half_founded_is_founded_anew() {
        let folder = tempfile::tempdir().unwrap();
        let house = Papers::at(folder.path());
        // What cannot be replaced by a file.
        fs::create_dir(folder.path().join("house.pem")).unwrap();
        assert!(house.found().is_err() && !house.make_others());
        assert!(!folder.path().join("house.half").exists());
        fs::remove_dir(folder.path().join("house.pem")).unwrap();
        assert!(house.found().unwrap());
        fs::remove_file(folder.path().join("house.key")).unwrap();
        assert!(house.found().unwrap());
        assert!(house.issue(&["a".to_owned()]).is_ok());
    }

    #[test]
    fn nobody_else_reads_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let papers = folder.path().join("state/net");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        Papers::at(&papers).found().unwrap();
        assert_eq!((mode(&papers), mode(&papers.join("house.key"))), (0o700, 0o600));
        // A half file that others can read, and a way out of the folder in its place.
        let own = papers.join("own.key");
        let (half, elsewhere) = (own.with_extension("half"), folder.path().join("elsewhere"));
        fs::write(&half, "").unwrap();
        fs::set_permissions(&half, fs::Permissions::from_mode(0o666)).unwrap();
        write(&own, "secret").unwrap();
        assert_eq!(mode(&own), 0o600);
        fs::write(&elsewhere, "").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &half).unwrap();
        write(&own, "secret").unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "");
        assert_eq!(fs::read_to_string(&own).unwrap(), "secret");
    }

    #[test]
    fn what_is_no_bundle_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        let papers = Papers::at(folder.path());
        papers.found().unwrap();
        let whole = papers.issue(&["a".to_owned()]).unwrap().to_text();
        let half = whole.split_at(whole.len() / 2).0;
        for text in ["", "hello", half, &whole.repeat(2), &whole.replace("PRIVATE", "PUBLIC")] {
            let file = folder.path().join("x.papers");
            fs::write(&file, text).unwrap();
            assert!(matches!(Bundle::read(&file), Err(Error::Papers { .. })), "{text}");
        }
    }
}
