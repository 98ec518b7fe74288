//! The way of a stream from Helm's post-renderer to the process that started Helm, and back.
//!
//! A socket in a folder that only the user can enter. The post-renderer sends what Helm gave it and gets what to print,
//! or nothing. So values, keys and messages stay in one process, and no argument and no file has any of them.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// The variable that names the socket.
pub const SOCKET: &str = "HELM_KEYRING_RELAY";

const PRINTED: u8 = 1;
const REFUSED: u8 = 0;

/// What the post-renderer is to print; `None`: it fails, and the other process says why.
pub type Answer = Option<Vec<u8>>;

/// Answers every post-renderer that asks, until `work` is done; gives what `work` gives.
///
/// # Errors
/// The socket cannot be made.
pub fn serve<T>(socket: &Path, answer: &(dyn Fn(Vec<u8>) -> Answer + Sync), work: impl FnOnce() -> T) -> io::Result<T> {
    let listener = UnixListener::bind(socket)?;
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for stream in listener.incoming() {
                if is_done.load(Ordering::SeqCst) {
                    return;
                }
                // A post-renderer that is gone needs no answer.
                let _ = stream.and_then(|stream| respond(stream, answer));
            }
        });
        let result = work();
        is_done.store(true, Ordering::SeqCst);
        // Wakes the listener, so that it sees that it is done.
        UnixStream::connect(socket).map(|_| result)
    })
}

fn respond(mut stream: UnixStream, answer: &(dyn Fn(Vec<u8>) -> Answer + Sync)) -> io::Result<()> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    match answer(bytes) {
        Some(output) => stream.write_all(&[PRINTED]).and_then(|()| stream.write_all(&output)),
        None => stream.write_all(&[REFUSED]),
    }
}

/// Hands a stream over, and gives what to print.
///
/// # Errors
/// The other process is gone, or the answer is cut off.
pub fn ask(socket: &Path, bytes: &[u8]) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(bytes)?;
    stream.shutdown(Shutdown::Write)?;
    let mut verdict = [REFUSED];
    stream.read_exact(&mut verdict)?;
    let mut output = Vec::new();
    stream.read_to_end(&mut output)?;
    Ok((verdict == [PRINTED]).then_some(output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_goes_there_and_back_or_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let double = |bytes: Vec<u8>| (!bytes.is_empty()).then(|| [&bytes[..], &bytes].concat());
        let large = vec![b'x'; 1 << 20];
        let answers = serve(&socket, &double, || {
            [ask(&socket, b"ab").unwrap(), ask(&socket, b"").unwrap(), ask(&socket, &large).unwrap()]
        });
        let [short, none, long] = answers.unwrap();
        assert_eq!((short.as_deref(), none), (Some(&b"abab"[..]), None));
        assert_eq!(long.unwrap().len(), 2 << 20);
    }
}
