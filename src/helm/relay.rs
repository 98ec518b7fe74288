//! The way of a stream from Helm's post-renderer to the process that started Helm, and back.
//!
//! A socket in a folder that only the user can enter. The post-renderer sends what Helm gave it and gets what to print,
//! or nothing. So values, keys and messages stay in one process, and no argument and no file has any of them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The variable that names the socket.
pub const SOCKET: &str = "HELM_KEYRING_RELAY";

/// How long the listener waits before it looks again.
const PAUSE: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_millis(100);

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
    // It looks again and again whether the work is done: nothing outside must be able to keep it waiting.
    listener.set_nonblocking(true)?;
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::SeqCst) {
                match listener.accept() {
                    // A post-renderer that is gone needs no answer.
                    Ok((stream, _)) => drop(respond(stream, answer, &is_done)),
                    Err(_) => std::thread::sleep(PAUSE),
                }
            }
        });
        let result = work();
        is_done.store(true, Ordering::SeqCst);
        Ok(result)
    })
}

fn respond(
    mut stream: UnixStream,
    answer: &(dyn Fn(Vec<u8>) -> Answer + Sync),
    is_done: &AtomicBool,
) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut bytes, mut part) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(part.get(..count).unwrap_or_default()),
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                if is_done.load(Ordering::SeqCst) {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
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
    fn nothing_outside_keeps_it_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let stuck = serve(&socket, &|_| None, || {
            let stream = UnixStream::connect(&socket).unwrap();
            std::fs::remove_file(&socket).unwrap();
            stream
        });
        drop(stuck.unwrap());
    }

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
