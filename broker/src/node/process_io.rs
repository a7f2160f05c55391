//! What the kernel knows of the bytes that this process reads from and writes to disks.
//!
//! Source: `org.apache.kafka.server.metrics.LinuxIoMetricsCollector`.

/// Bytes read and written; `None` where the kernel does not tell.
pub(super) fn disk_bytes() -> Option<(u64, u64)> {
    parse(&std::fs::read_to_string("/proc/self/io").ok()?)
}

fn parse(text: &str) -> Option<(u64, u64)> {
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    Some((value("read_bytes:")?, value("write_bytes:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_read() {
        let text =
            "rchar: 7\nwchar: 8\nsyscr: 1\nsyscw: 2\nread_bytes: 4096\nwrite_bytes: 12288\ncancelled_write_bytes: 0\n";
        assert_eq!(parse(text), Some((4096, 12288)));
        for text in ["", "read_bytes: 1\n", "read_bytes: x\nwrite_bytes: 1\n"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_written_to_a_disk_is_counted() {
        use std::io::Write;
        let Some((_, before)) = disk_bytes() else { return };
        let mut file = tempfile::NamedTempFile::new_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        file.write_all(&vec![7; 1 << 20]).unwrap();
        file.as_file().sync_all().unwrap();
        let (_, after) = disk_bytes().unwrap();
        assert!(after >= before + (1 << 20), "{before} {after}");
    }
}
