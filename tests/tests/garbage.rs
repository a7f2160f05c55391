//! Whatever arrives on a port that is no Kafka closes that connection and nothing else.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use tests::clients;
use tests::serve::Serve;

/// What clients of other protocols, and worse, say first.
fn greetings() -> Vec<(&'static str, Vec<u8>)> {
    let mut random = vec![0u8; 4096];
    rand::rngs::StdRng::seed_from_u64(1).fill(&mut random[..]);
    // A random first length may be small enough to be waited for; make it an impossible one.
    random[0] = 0x80;
    let mut hello = vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03];
    hello.resize(517, 0x5a);
    vec![
        ("random bytes", random),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("TLS", hello),
        ("a length of 2 GB", i32::MAX.to_be_bytes().to_vec()),
        ("a negative length", (-1i32).to_be_bytes().to_vec()),
        ("an empty frame", vec![0, 0, 0, 0]),
        ("an unknown API", vec![0, 0, 0, 10, 0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff]),
        ("a version that is not offered", vec![0, 0, 0, 10, 0, 3, 0x7f, 0xff, 0, 0, 0, 1, 0xff, 0xff]),
        ("a request between brokers", vec![0, 0, 0, 10, 0, 52, 0, 0, 0, 0, 0, 1, 0xff, 0xff]),
        ("a truncated Metadata", vec![0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]),
    ]
}

/// True if the other side closed the connection without a word.
fn is_closed_after(address: &str, bytes: &[u8]) -> Result<(), String> {
    let mut stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(|error| error.to_string())?;
    // It may be closed before all was written.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(0) => Ok(()),
        Ok(count) => Err(format!("{count} bytes were answered")),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
        Err(error) => Err(format!("not closed: {error}")),
    }
}

#[test]
fn garbage_closes_its_own_connection_only() {
    let serve = Serve::start();
    clients::create_topic(&serve.bootstrap_servers, "unharmed", 3, 3);
    let producer = clients::producer(&serve.bootstrap_servers, &[("acks", "all")]);
    let mut sent = 0;
    for address in serve.addresses() {
        for (what, bytes) in greetings() {
            is_closed_after(&address, &bytes).unwrap_or_else(|error| panic!("{what} on {address}: {error}"));
            clients::send(&producer, "unharmed", None, what, "still here");
            sent += 1;
        }
    }
    clients::flush(&producer, sent);
    assert_eq!(clients::read_all(&serve.bootstrap_servers, "unharmed", 3).len(), sent as usize);
    let cluster = serve.cluster();
    for broker in cluster["brokers"].as_array().unwrap() {
        assert_eq!(broker["state"], "running");
        assert_eq!(broker["fenced"], false);
        assert_eq!(broker["epoch"], cluster["brokers"][broker["id"].as_u64().unwrap() as usize - 1]["epoch"]);
    }
}

#[test]
fn garbage_on_the_http_port_harms_nobody() {
    let serve = Serve::start();
    let address = serve.http.trim_start_matches("http://").to_string();
    for (_, bytes) in greetings() {
        let mut stream = TcpStream::connect(&address).unwrap();
        // It may be closed before all was written; what matters is that the next one is served.
        let _ = stream.write_all(&bytes);
    }
    assert_eq!(serve.get_text("/healthz").0, 200);
    assert_eq!(serve.get_text("/no/such/path").0, 404);
}
