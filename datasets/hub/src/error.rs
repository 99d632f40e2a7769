//! Everything that can go wrong with a server, with the facts in fields and the way out in words.

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, and with which address.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none that can be asked.
    #[error("{what}: {url}")]
    Address {
        /// What is wrong with it.
        what: &'static str,
        /// The address.
        url: String,
    },
    /// No answer, or half of one.
    #[error("no whole answer came: {what}: {url}")]
    Unreachable {
        /// In the words of the system or of the protocol.
        what: String,
        /// The address.
        url: String,
    },
    /// Nobody that is trusted vouches for the server, or it does not speak TLS.
    #[error(
        "the connection to the server is not to be trusted: {what} (a server of your own is known by \
         its authority's PEM file; else look at the address and at the clock): {url}"
    )]
    Untrusted {
        /// What is wrong with its certificate, in the words of TLS.
        what: String,
        /// The address.
        url: String,
    },
    /// The file with the authorities that are to be trusted is none.
    #[error("cannot take the trusted authorities from the PEM file: {what}: {}", path.display())]
    Authorities {
        /// What is wrong with it.
        what: String,
        /// The file.
        path: std::path::PathBuf,
    },
    /// The server wants to know who asks.
    #[error("the server refuses ({status}), {}: {url}", denied(*.with_token))]
    Denied {
        /// 401 or 403.
        status: u16,
        /// Whether a token was shown.
        with_token: bool,
        /// The address.
        url: String,
    },
    /// The server has no such file.
    #[error("there is no such file on the server ({status}): {url}")]
    Missing {
        /// 404 or 410.
        status: u16,
        /// The address.
        url: String,
    },
    /// Any other status than the one hoped for.
    #[error("the server answers {status}{}: {url}", said(.message))]
    Status {
        /// The status.
        status: u16,
        /// What the server says about it, where it does.
        message: String,
        /// The address.
        url: String,
    },
    /// The server gives files only whole.
    #[error(
        "the server sends the whole file where a part was asked for, so that nothing can be \
         streamed from it (download it first, or use a server that knows Range): {url}"
    )]
    NoRanges {
        /// The address.
        url: String,
    },
    /// The answer contradicts the question, or itself.
    #[error("the answer makes no sense: {what}: {url}")]
    Nonsense {
        /// What does not fit.
        what: String,
        /// The address.
        url: String,
    },
    /// The file is larger than anything that belongs there.
    #[error("larger than the {limit} bytes that are taken at most: {url}")]
    TooLarge {
        /// How many bytes would have been taken.
        limit: u64,
        /// The address.
        url: String,
    },
    /// The file was replaced while it was read.
    #[error("the file on the server changed while it was read (open it again): {url}")]
    Changed {
        /// The address.
        url: String,
    },
    /// Something that may pass, but did not.
    #[error("{last} (tried {tries} times)")]
    GaveUp {
        /// How often it was tried.
        tries: u32,
        /// What went wrong the last time.
        last: Box<Error>,
    },
}

impl Error {
    /// Whether the file is simply not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}

fn denied(with_token: bool) -> &'static str {
    match with_token {
        true => {
            "the token may not read this: it may be expired, or access has to be asked for first"
        }
        false => "without a token it cannot be read, or does not exist: give one that may read it",
    }
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}
