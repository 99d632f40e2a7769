//! How a command about datasets ends badly.

use std::io::ErrorKind;

use sinew_datasets::Error;

use super::{Exit, Failure, hub};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { exit: exit_of(&error), remedy: remedy_of(&error), what: error.to_string() }
    }
}

fn exit_of(error: &Error) -> Exit {
    match error {
        Error::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => Exit::Refused,
        Error::Io { source, .. } if source.kind() == ErrorKind::NotFound => Exit::Data,
        Error::Server(error) => hub::exit_of(error),
        Error::Io { .. } => Exit::Failed,
        Error::Busy { .. } => Exit::Refused,
        Error::NoDataset { .. }
        | Error::Malformed { .. }
        | Error::Version { .. }
        | Error::NoFrameAt { .. }
        | Error::Codec { .. }
        | Error::Video { .. } => Exit::Data,
        Error::Exists { .. }
        | Error::Feature { .. }
        | Error::Frame { .. }
        | Error::OutOfRange { .. }
        | Error::Refused { .. } => Exit::Usage,
    }
}

fn remedy_of(error: &Error) -> Option<String> {
    let verify = |path: &std::path::Path| {
        // The folder is not known here, but it is above what failed.
        let root = path.ancestors().find(|above| above.join("meta/info.json").is_file());
        root.map(|root| format!("see all that is wrong: sinew dataset verify {}", root.display()))
    };
    Some(match error {
        Error::Server(error) => return hub::remedy_of(error),
        Error::NoDataset { .. } => {
            "name the folder that holds meta/, data/ and videos/, or a repo id such as me/pick \
             that is in LeRobot's folder"
                .into()
        }
        Error::Exists { .. } => "name another folder, or remove that one".into(),
        Error::Busy { .. } => "wait until it is done".into(),
        Error::Version { .. } => "is it newer than this program? Then update sinew".into(),
        Error::Io { source, path, .. } => match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "free some space on that disk; what was recorded up to there is kept: \
                 sinew dataset recover takes it up"
                    .into()
            }
            ErrorKind::ReadOnlyFilesystem => {
                "that disk may only be read: mount it for writing, or name a folder on another"
                    .into()
            }
            ErrorKind::PermissionDenied => format!(
                "let yourself read and write it, or name another folder: \
                 sudo chown -R \"$USER\" {}",
                path.parent().unwrap_or(path).display()
            ),
            _ => return verify(path),
        },
        Error::Codec { .. } if cfg!(not(feature = "ffmpeg")) => {
            "build sinew with the system's FFmpeg: sudo apt-get install -y libavcodec-dev \
             libavformat-dev libavutil-dev libswscale-dev libclang-dev pkg-config && cargo install \
             --path robot --features ffmpeg"
                .into()
        }
        Error::Malformed { path, .. }
        | Error::NoFrameAt { path, .. }
        | Error::Video { path, .. } => return verify(path),
        _ => return None,
    })
}
