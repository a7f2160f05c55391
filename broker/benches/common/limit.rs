//! What this machine can do at all: bare programs without a broker.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Frames that a sender has under way at once, of ours and of the bare program.
pub const WINDOW: usize = 5;

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (receiver, _) = listener.accept().unwrap();
    sender.set_nodelay(true).unwrap();
    receiver.set_nodelay(true).unwrap();
    (sender, receiver)
}

/// One loopback receive, one CRC32C and three page-cache writes of each frame, then a short answer.
pub fn receive_check_write(dir: &Path, frame: &[u8], count: usize) -> Duration {
    let (mut sender, mut receiver) = pair();
    let bytes = frame.len();
    let files: Vec<File> = (0..3)
        .map(|index| {
            let path = dir.join(format!("limit-{index}"));
            OpenOptions::new().write(true).create(true).truncate(true).open(path).unwrap()
        })
        .collect();
    let began = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut buffer = vec![0; bytes];
            for number in 0..count {
                receiver.read_exact(&mut buffer).unwrap();
                let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &buffer) as u32;
                for file in &files {
                    file.write_all_at(&buffer, (number * bytes) as u64).unwrap();
                }
                receiver.write_all(&crc.to_be_bytes()).unwrap();
            }
        });
        let mut answer = [0; 4];
        for number in 0..count {
            sender.write_all(frame).unwrap();
            if number + 1 >= WINDOW {
                sender.read_exact(&mut answer).unwrap();
            }
        }
        for _ in 0..count.min(WINDOW - 1) {
            sender.read_exact(&mut answer).unwrap();
        }
    });
    began.elapsed()
}

/// `count` chunks of `chunk_bytes` bytes over loopback, from memory to memory.
pub fn loopback_copy(chunk_bytes: usize, count: usize) -> Duration {
    let (mut sender, mut receiver) = pair();
    let began = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let chunk = vec![b'x'; chunk_bytes];
            (0..count).for_each(|_| sender.write_all(&chunk).unwrap());
        });
        let mut buffer = vec![0; chunk_bytes];
        (0..count).for_each(|_| receiver.read_exact(&mut buffer).unwrap());
    });
    began.elapsed()
}

/// Reads files once, a mebibyte at a time.
pub fn read_once<'a>(files: impl IntoIterator<Item = &'a Path>) -> Duration {
    let mut buffer = vec![0; 1 << 20];
    let began = Instant::now();
    for path in files {
        let mut file = File::open(path).unwrap();
        while file.read(&mut buffer).unwrap() > 0 {}
    }
    began.elapsed()
}

/// Has the system forget what it holds of a file in memory.
pub fn forget_cached(path: &Path) {
    let file = File::open(path).unwrap();
    file.sync_all().unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}
