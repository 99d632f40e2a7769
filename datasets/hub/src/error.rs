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
    #[error("the server refuses ({status}{}), {}: {url}", and(.message), denied(*.with_token))]
    Denied {
        /// 401 or 403.
        status: u16,
        /// Whether a token was shown.
        with_token: bool,
        /// What the server says about it, where it does.
        message: String,
        /// The address.
        url: String,
    },
    /// The server has no such thing.
    #[error("there is no such {what} on the server ({status}): {url}")]
    Missing {
        /// 404 or 410.
        status: u16,
        /// What is not there.
        what: Absent,
        /// The address.
        url: String,
    },
    /// What was to be made is there already.
    #[error("it exists already{}: {url}", said(.message))]
    Conflict {
        /// What the server says about it, where it does.
        message: String,
        /// The address.
        url: String,
    },
    /// The repository is no longer in the state that a change was made for.
    #[error("somebody else changed the repository meanwhile: {url}")]
    Stale {
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
    /// The user wants no server to be asked.
    #[error("no server may be asked while HF_HUB_OFFLINE is set: {url}")]
    Offline {
        /// The address.
        url: String,
    },
    /// A variable of the environment that cannot be understood.
    #[error("the variable {name} is not {what}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// What it should be.
        what: &'static str,
    },
    /// What was given is no token. It is not shown.
    #[error("the token cannot be used: {what}")]
    Token {
        /// What is wrong with it.
        what: &'static str,
    },
    /// No token of this name is kept.
    #[error("no token called {name:?} is kept on this machine, but {}", listed(.known))]
    NoSuchToken {
        /// The name.
        name: String,
        /// The names that are known.
        known: Vec<String>,
    },
    /// The bytes that came are not those of the file.
    #[error(
        "{path} hashes to {found} and should to {expected}: what came is not kept (fetch it again; if it \
         stays so, the server's file is damaged): {url}"
    )]
    WrongHash {
        /// Its path in the repository.
        path: String,
        /// The hash that the repository's list names.
        expected: String,
        /// The hash of what came.
        found: String,
        /// The address.
        url: String,
    },
    /// The disk is too full.
    #[error(
        "there is no room for what is to be fetched: {needed} bytes, of which {free} are free: {}",
        path.display()
    )]
    NoRoom {
        /// How many bytes are missing here.
        needed: u64,
        /// How many the disk has room for.
        free: u64,
        /// The folder.
        path: std::path::PathBuf,
    },
    /// A file of the user's has the name of one that is to be fetched.
    #[error(
        "there is another file than was fetched before, and it is not written over (move it away, or \
         name another folder): {}",
        path.display()
    )]
    InTheWay {
        /// The file.
        path: std::path::PathBuf,
    },
    /// It was not fetched before, and no server may be asked.
    #[error("{what} of {repo} is not on this machine, and no server is asked: {}", path.display())]
    NotFetched {
        /// Which file, or that it is all of it.
        what: String,
        /// The repository.
        repo: String,
        /// Where it would be.
        path: std::path::PathBuf,
    },
    /// No repository is called so.
    #[error("{what}, not a repository's name: {name:?}")]
    Name {
        /// What is wrong with it.
        what: &'static str,
        /// What was given.
        name: String,
    },
    /// A file or folder of this machine.
    #[error("{what}: {source}: {}", path.display())]
    Io {
        /// What could not be done.
        what: &'static str,
        /// What the system says.
        source: std::io::Error,
        /// The file.
        path: std::path::PathBuf,
    },
    /// A file became another while it was on its way.
    #[error("the file changed while it was uploaded (push again): {path}")]
    Altered {
        /// Its path in the repository.
        path: String,
    },
    /// Somebody else wrote the same file.
    #[error(
        "somebody else changed {path} in the repository, and nothing of theirs is overwritten (look at \
         it there; pushing by hand replaces it): {url}"
    )]
    Theirs {
        /// Its path in the repository.
        path: String,
        /// The repository's page.
        url: String,
    },
    /// What a repository's page says for programs cannot be read.
    #[error(
        "the hub cannot read what {path} says at its beginning, between two lines of --- (mend it there): \
         {message}: {url}"
    )]
    Page {
        /// Its path in the repository.
        path: String,
        /// What the hub says about it.
        message: String,
        /// The address.
        url: String,
    },
    /// Whether a pull request was made, nobody knows.
    #[error(
        "whether the pull request was made, nobody has heard (look at the repository's page before you push \
         again): {url}"
    )]
    Unheard {
        /// The repository's page.
        url: String,
    },
    /// The repository does not have what it was given.
    #[error("after the upload, {path} is not what it should be there (push again): {url}")]
    Unverified {
        /// Its path in the repository.
        path: String,
        /// The repository's page.
        url: String,
    },
    /// It was ended from outside.
    #[error("ended; what has been sent is not sent again")]
    Ended,
    /// A file that was written here is not what it was.
    #[error("{what} (the disk may fail; put it back from a copy): {}", path.display())]
    Damaged {
        /// What is wrong with it.
        what: String,
        /// The file.
        path: std::path::PathBuf,
    },
    /// Another server has the folder.
    #[error("another hub serves this folder (end it first): {what}: {}", path.display())]
    Busy {
        /// What the system says.
        what: String,
        /// The folder.
        path: std::path::PathBuf,
    },
    /// A hub cannot listen.
    #[error("cannot serve a hub here (is another program there?): {source}: {address}")]
    Listen {
        /// What the system says.
        source: std::io::Error,
        /// Where.
        address: std::net::SocketAddr,
    },
    /// A file that is to say who may do what.
    #[error("cannot take the tokens from the file: {what}: {}", path.display())]
    Tokens {
        /// What is wrong with it.
        what: String,
        /// The file.
        path: std::path::PathBuf,
    },
    /// A hub would be open to the whole network.
    #[error(
        "without a token a hub is for this machine alone (give --tokens, or let it listen on \
         127.0.0.1): {address}"
    )]
    Open {
        /// Where.
        address: std::net::SocketAddr,
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

/// What can be missing on a server, as far as it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// The repository, or the right to know of it.
    Repo,
    /// The branch, tag or commit.
    Revision,
    /// The file or folder; also where the server does not say.
    Entry,
}

impl Absent {
    /// What the Hub means by this code.
    pub(crate) fn from_code(code: &str) -> Self {
        match code {
            "RepoNotFound" => Self::Repo,
            "RevisionNotFound" => Self::Revision,
            _ => Self::Entry,
        }
    }
}

impl std::fmt::Display for Absent {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Repo => "repository, or none that this token may see,",
            Self::Revision => "branch, tag or commit",
            Self::Entry => "file",
        })
    }
}

impl Error {
    /// Makes an error of the system into one that names what was done and to which file.
    pub(crate) fn io<'a>(
        what: &'static str,
        path: &'a std::path::Path,
    ) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |source| Self::Io { what, source, path: path.to_owned() }
    }

    /// Whether trying the same again later makes sense without anybody doing anything about it.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::GaveUp { .. } | Self::Unreachable { .. } | Self::Stale { .. } => true,
            // A repository that somebody else is just making; a clock that is not set yet; a network that
            // first wants its own page looked at.
            Self::Conflict { .. } | Self::Untrusted { .. } | Self::Nonsense { .. } => true,
            Self::Altered { .. } | Self::Unverified { .. } | Self::Ended => true,
            Self::Io { source, .. } => source.kind() != std::io::ErrorKind::NotFound,
            Self::Status { status, .. } => is_unwell(*status),
            _ => false,
        }
    }

    /// Whether it may be otherwise later, with nothing done about it: the server is not reached, or not
    /// well.
    pub fn passes(&self) -> bool {
        match self {
            Self::GaveUp { .. } | Self::Unreachable { .. } => true,
            Self::Status { status, .. } => is_unwell(*status),
            _ => false,
        }
    }

    /// Whether it is simply not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}

/// Whether this is what a server answers that fails for the moment: what it does not know how to do it does not
/// know later either.
pub(crate) fn is_unwell(status: u16) -> bool {
    matches!(status, 500 | 502..=599)
}

fn denied(with_token: bool) -> &'static str {
    match with_token {
        true => {
            "the token is not enough: it may be expired, may only read, or access has to be asked for first"
        }
        false => "without a token this cannot be done, or does not exist: give one that may do it",
    }
}

fn and(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(", {message}") }
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none at all".to_owned() } else { names.join(", ") }
}
