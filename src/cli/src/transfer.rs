//! Bytes between a file, or a standard stream, and the gateway: piece by piece, with progress.

use crate::args::TransferFile;
use crate::client::broken;
use crate::failure::{Failure, Outcome};
use crate::output::Ui;
use futures::TryStreamExt;
use http::header::CONTENT_LENGTH;
use indicatif::ProgressBar;
use reqwest::{Body, RequestBuilder, Response};
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

/// Pieces in which a file is read: large enough that the system calls do not count.
const PIECE_BYTES: usize = 256 << 10;

/// Gives a request the bytes of a file as its body. A file's length is announced, so that too large a one is refused
/// before it is sent; of a stream nobody knows it.
pub(crate) async fn with_body(
    request: RequestBuilder,
    file: &TransferFile,
    ui: &Ui,
) -> Outcome<RequestBuilder> {
    match file {
        TransferFile::Standard => {
            // As a file of its own: nothing is read ahead into a buffer that others share.
            let stdin = io::stdin().as_fd().try_clone_to_owned();
            let stdin = stdin.map_err(|error| Failure::local("stdin", &error))?;
            let stdin = tokio::fs::File::from_std(File::from(stdin));
            Ok(request.body(body_of(stdin, ui.progress("stdin", None))))
        }
        TransferFile::Path(path) => {
            let told = |error: io::Error| Failure::local(path.display(), &error);
            let file = tokio::fs::File::open(path).await.map_err(told)?;
            let about = file.metadata().await.map_err(told)?;
            if about.is_dir() {
                return Err(Failure::invalid(format!("{} is a folder", path.display())));
            }
            if !about.is_file() {
                // A pipe or a device: its length says nothing.
                return Ok(request.body(body_of(file, ui.progress(&label(path), None))));
            }
            let bar = ui.progress(&label(path), Some(about.len()));
            Ok(request
                .header(CONTENT_LENGTH, about.len())
                .body(body_of(file, bar)))
        }
    }
}

fn body_of(reader: impl AsyncRead + Send + 'static, bar: ProgressBar) -> Body {
    let pieces = ReaderStream::with_capacity(reader, PIECE_BYTES);
    Body::wrap_stream(pieces.inspect_ok(move |piece| bar.inc(piece.len() as u64)))
}

fn label(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Where a download has gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(crate) bytes: u64,
    /// The file; `None` for stdout.
    pub(crate) path: Option<PathBuf>,
}

/// Writes an answer's body to a file, which then is there whole, or as it was before; or to stdout.
///
/// `name` is what the file is called where `file` is a folder.
///
/// # Errors
/// `Unavailable` when the answer breaks off; the kind of the operating system's error when the file cannot be written.
pub(crate) async fn save(
    response: Response,
    file: &TransferFile,
    name: &str,
    ui: &Ui,
) -> Outcome<Saved> {
    let bar = ui.progress(name, response.content_length());
    let saved = match file {
        TransferFile::Standard => {
            let written = |error: io::Error| Failure::stdout(&error);
            let bytes = copy(response, &mut io::stdout(), &bar, written).await?;
            Saved { bytes, path: None }
        }
        TransferFile::Path(path) => save_file(response, &destination(path, name), &bar).await?,
    };
    bar.finish_and_clear();
    Ok(saved)
}

/// The file that is meant: behind a symbolic link, and within a folder.
fn destination(path: &Path, name: &str) -> PathBuf {
    let path = match path.is_dir() {
        true => path.join(name),
        false => path.to_owned(),
    };
    fs::canonicalize(&path).unwrap_or(path)
}

async fn save_file(response: Response, path: &Path, bar: &ProgressBar) -> Outcome<Saved> {
    let told = |error: io::Error| Failure::local(path.display(), &error);
    let bytes = if path.exists() && !path.is_file() {
        // A device or a pipe is written to; to put a file in its place would break it.
        let mut device = File::options().write(true).open(path).map_err(told)?;
        copy(response, &mut device, bar, told).await?
    } else {
        let mut partial = beside(path).map_err(told)?;
        let bytes = copy(response, partial.as_file_mut(), bar, told).await?;
        partial.persist(path).map_err(|error| told(error.error))?;
        bytes
    };
    Ok(Saved {
        bytes,
        path: Some(path.to_owned()),
    })
}

/// A temporary file in the same folder, which removes itself; as readable as the file whose place it takes, or as any
/// new file of this user.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let mode = fs::metadata(path).map_or(0o666, |about| about.permissions().mode());
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    tempfile::Builder::new()
        .prefix(".ganglion-")
        .suffix(".partial")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder.unwrap_or(Path::new(".")))
}

/// Pieces from the network to `sink`. The file system may make this task wait: it has nothing else to do.
async fn copy(
    mut response: Response,
    sink: &mut impl Write,
    bar: &ProgressBar,
    told: impl Fn(io::Error) -> Failure,
) -> Outcome<u64> {
    let mut bytes = 0;
    loop {
        let piece = response
            .chunk()
            .await
            .map_err(|error| broken(&error, bytes))?;
        let Some(piece) = piece else { break };
        sink.write_all(&piece).map_err(&told)?;
        bytes += piece.len();
        bar.inc(piece.len() as u64);
    }
    sink.flush().map_err(&told)?;
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gets_a_file_of_the_keys_last_name() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        assert_eq!(
            destination(folder.path(), "book.txt"),
            folder.path().join("book.txt")
        );
        fs::write(real.join("book.txt"), b"").unwrap();
        std::os::unix::fs::symlink(real.join("book.txt"), real.join("link")).unwrap();
        assert_eq!(destination(&real.join("link"), "x"), real.join("book.txt"));
    }

    #[test]
    fn a_private_file_stays_private_when_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, b"").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        beside(&path).unwrap().persist(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn a_file_in_the_making_is_beside_its_place_and_gone_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let partial = beside(&folder.path().join("book.txt")).unwrap();
        assert_eq!(partial.path().parent(), Some(folder.path()));
        drop(partial);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
